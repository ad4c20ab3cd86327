"""From running answers to what is told of them: the words the API's answers and streams share."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from inference.api.choices import Choices
from inference.api.logprobs import shown_scores
from inference.api.metrics import FIRST_DELTA_S, count_usage
from inference.generation import Delta, FinishReason, TokenScore, Usage


@dataclass(slots=True)
class Answer:
    """One answer, put together from its deltas.

    Attributes:
        pieces: what each delta added to its text.
        scores: how likely its tokens were, where that was asked for.
        score_texts: what each of these tokens added to the text.
        finish_reason: why it ended.
        usage: its counts.
        result: what was asked for beside text.
    """

    pieces: list[str] = field(default_factory=list)
    scores: list[TokenScore] = field(default_factory=list)
    score_texts: list[str] = field(default_factory=list)
    finish_reason: FinishReason | None = None
    usage: Usage | None = None
    result: Mapping[str, Any] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """The whole text."""
        return "".join(self.pieces)

    def take(self, delta: Delta) -> None:
        """Append a delta."""
        scores = shown_scores(delta)
        self.pieces.append(delta.text)
        self.scores += scores
        self.score_texts += delta.pieces[: len(scores)]
        if delta.is_last:
            self.finish_reason = delta.finish_reason
            self.usage = delta.usage
            self.result = delta.result or {}


class Teller(Protocol):
    """Says what a stream of answers is in JSON."""

    def opening(self) -> list[dict[str, Any]]:
        """Return the chunks that come before any delta."""
        ...

    def chunks(self, index: int, delta: Delta) -> list[dict[str, Any]]:
        """Return the chunks of one delta of one answer."""
        ...

    def usage_chunk(self, usages: Mapping[int, Usage]) -> dict[str, Any]:
        """Return the chunk that counts the tokens of all answers, given by index."""
        ...


async def whole_answers(choices: Choices, count: int) -> Sequence[Answer]:
    """Return the answers when all have ended, in the order of their indices.

    Raises:
        InferenceError: one of them could not be given.
    """
    answers = [Answer() for _ in range(count)]
    try:
        arrived = await first_delta(choices, patience_s=None)
        while arrived is not None:
            index, delta = arrived
            answers[index].take(delta)
            arrived = await choices.next()
    finally:
        await choices.close()
    count_usage(answer.usage for answer in answers if answer.usage)
    return answers


async def first_delta(choices: Choices, *, patience_s: float | None) -> tuple[int, Delta] | None:
    """Return the first piece, or None when it takes longer than the caller can keep silent."""
    begun_s = time.monotonic()
    try:
        first = await choices.next(patience_s)
    except TimeoutError:
        return None
    FIRST_DELTA_S.observe(time.monotonic() - begun_s)
    return first


async def first_or_close(choices: Choices, *, patience_s: float | None) -> tuple[int, Delta] | None:
    """Return the first piece as `first_delta` does; if none can come, the answers are closed."""
    try:
        return await first_delta(choices, patience_s=patience_s)
    except BaseException:
        await choices.close()
        raise
