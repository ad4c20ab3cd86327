"""The held-out questions: every one pairs a fact with a phrasing it was never trained with."""

import random
from collections.abc import Iterator
from dataclasses import dataclass

from inference.messages import Message, Role
from training.corpus.dialogues.catalogue import Fact, Intent, Language, catalogue, fill
from training.corpus.dialogues.stable import stable_number


@dataclass(frozen=True, slots=True)
class Question:
    """One item of the exam.

    Attributes:
        intent: what kind of question it is; follow-ups end in `_follow`.
        language: "en" or "zh".
        messages: the dialogue up to the prompt to be answered.
        accepted: every answer that counts as right.
    """

    intent: str
    language: str
    messages: tuple[Message, ...]
    accepted: tuple[str, ...]


def exam_questions(*, per_intent: int = 10) -> list[Question]:
    """Return the exam, the same each time: at most `per_intent` questions per kind and language."""
    questions: list[Question] = []
    for language in Language:
        for intent in catalogue(language):
            chosen = sorted(intent.facts, key=lambda fact: stable_number("|".join(fact.values())))
            questions += [_question(intent, fact) for fact in chosen[:per_intent]]
            if intent.follow:
                questions += _follow_ups(intent, chosen[: per_intent // 2])
    return questions


def _question(intent: Intent, fact: Fact) -> Question:
    chance = random.Random("|".join((intent.name, *fact.values())))
    messages = list(_opening(intent, fact, chance))
    messages.append(Message(Role.USER, fill(intent.held_out(fact, intent.ask), fact)))
    return Question(intent.name, intent.language, tuple(messages), tuple(intent.answers(fact)))


def _opening(intent: Intent, fact: Fact, chance: random.Random) -> Iterator[Message]:
    if intent.opening_ask:
        yield Message(Role.USER, fill(chance.choice(intent.opening_ask), fact))
        yield Message(Role.ASSISTANT, fill(chance.choice(intent.opening_answer), fact))


def _follow_ups(intent: Intent, facts: list[Fact]) -> Iterator[Question]:
    for before, fact in zip(facts, facts[1:] + facts[:1], strict=True):
        messages = (
            Message(Role.USER, fill(intent.trained(before, intent.ask)[0], before)),
            Message(Role.ASSISTANT, intent.answers(before)[0]),
            Message(Role.USER, fill(intent.held_out(fact, intent.follow), fact)),
        )
        name = f"{intent.name}_follow"
        yield Question(name, intent.language, messages, tuple(intent.answers(fact)))
