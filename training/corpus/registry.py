"""The corpora a recipe can name."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from inference.messages import Message
from training.corpus.dialogues.exam import Question, exam_questions
from training.corpus.dialogues.sampler import DialogueSampler, DialogueShape
from training.exceptions import RecipeError


@dataclass(frozen=True, slots=True)
class Corpus:
    """Dialogues to learn from and questions to be examined with.

    Attributes:
        dialogue: gives dialogue number i, from 0 without end.
        questions: gives at most so many held-out questions of each kind.
    """

    dialogue: Callable[[int], Sequence[Message]]
    questions: Callable[[int], list[Question]]


def open_corpus(name: str, *, seed: int, batch_size: int, single_turn_steps: int = 0) -> Corpus:
    """Return a corpus by the name a recipe gives it.

    Args:
        name: one of `CORPORA`.
        seed: of the draw.
        batch_size: dialogues that are read together and so had better be of similar length.
        single_turn_steps: batches at the beginning whose dialogues have one turn.

    Raises:
        RecipeError: there is no such corpus.
    """
    if name not in CORPORA:
        raise RecipeError(f"there is no corpus {name!r}; known: {', '.join(CORPORA)}")
    return CORPORA[name](seed, batch_size, single_turn_steps * batch_size)


def _synthetic_dialogues(seed: int, batch_size: int, single_count: int) -> Corpus:
    shape = DialogueShape(group_size=batch_size, single_count=single_count)
    sampler = DialogueSampler(seed=seed, shape=shape)
    return Corpus(sampler.dialogue, lambda count: exam_questions(per_intent=count))


CORPORA: dict[str, Callable[[int, int, int], Corpus]] = {"dialogues": _synthetic_dialogues}
