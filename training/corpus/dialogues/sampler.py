"""Fresh dialogues without end: the training set of the demo models, drawn by seed and index."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import accumulate

from inference.messages import Message, Role
from training.corpus.dialogues.catalogue import Fact, Intent, Language, catalogue, fill
from training.corpus.dialogues.noise import bare, written_carelessly

SYSTEM_PROMPTS = {
    Language.ENGLISH: (
        "You are a helpful assistant.",
        "You are a friendly chatbot. Be brief.",
        "Answer the user's questions.",
    ),
    Language.CHINESE: (
        "你是一个有用的助手。",
        "你是一个友好的聊天机器人，请简短回答。",
        "请回答用户的问题。",
    ),
}


@dataclass(frozen=True, slots=True)
class DialogueShape:
    """How dialogues are mixed.

    Attributes:
        chinese_share: share of dialogues that begin in Chinese.
        switch_share: share of later turns asked in the other language.
        follow_share: share of turns that follow up on the turn before, where that is possible.
        careless_share: share of prompts in lower case or without their last mark.
        system_share: share of dialogues that open with a system message.
        single_count: dialogues at the beginning that have one turn: a model learns what belongs to
            what much sooner when nothing else stands around it.
        lengths: after them, (share, fewest turns, most turns); the long ones teach what lies far
            back.
        group_size: neighbours that get the same entry of `lengths`, so that a batch pads little.
    """

    chinese_share: float = 0.42
    switch_share: float = 0.06
    follow_share: float = 0.3
    careless_share: float = 0.2
    system_share: float = 0.12
    single_count: int = 0
    lengths: tuple[tuple[float, int, int], ...] = ((0.78, 1, 2), (0.19, 3, 6), (0.03, 16, 30))
    group_size: int = 8


class DialogueSampler:
    """A sequence of dialogues; number i is the same for everybody who uses the same seed."""

    def __init__(self, *, seed: int, shape: DialogueShape | None = None) -> None:
        self.seed = seed
        self.shape = shape or DialogueShape()

    def dialogue(self, index: int) -> tuple[Message, ...]:
        """Return dialogue number `index`: an optional system message, then question and answer."""
        chance = random.Random(f"{self.seed}:{index}")
        if index < self.shape.single_count:
            return tuple(self._messages(chance, turns=1))
        group = random.Random(f"{self.seed}:group:{index // self.shape.group_size}")
        shares = [share for share, _, _ in self.shape.lengths]
        _, fewest, most = group.choices(self.shape.lengths, weights=shares)[0]
        return tuple(self._messages(chance, turns=chance.randint(fewest, most)))

    def _messages(self, chance: random.Random, *, turns: int) -> Iterator[Message]:
        shape = self.shape
        is_chinese = chance.random() < shape.chinese_share
        language = Language.CHINESE if is_chinese else Language.ENGLISH
        if chance.random() < shape.system_share:
            yield Message(Role.SYSTEM, chance.choice(SYSTEM_PROMPTS[language]))
        intent: Intent | None = None
        waiting: tuple[Intent, Fact] | None = None  # an opened intent whose question comes later
        for turn in range(turns):
            follows = intent is not None and bool(intent.follow)
            if waiting and (turn == turns - 1 or chance.random() < 0.5):
                intent, fact = waiting
                waiting = None
                phrasings = intent.ask
            elif follows and intent and chance.random() < shape.follow_share:
                fact = chance.choice(intent.facts)
                phrasings = intent.follow
            else:
                if turn and chance.random() < shape.switch_share:
                    language = next(other for other in Language if other is not language)
                intent = _draw_intent(chance, language, is_first=turn == 0)
                fact = chance.choice(intent.facts)
                if intent.opening_ask and waiting is None:
                    waiting = (intent, fact)
                    opening = fill(chance.choice(intent.opening_ask), fact)
                    yield self._prompt(chance, opening, kept_back="")
                    yield _reply(fill(chance.choice(intent.opening_answer), fact))
                    continue
                if intent.opening_ask:
                    continue
                phrasings = intent.ask
            question = fill(chance.choice(intent.trained(fact, phrasings)), fact)
            kept_back = fill(intent.held_out(fact, phrasings), fact)
            yield self._prompt(chance, question, kept_back=kept_back)
            yield _reply(chance.choice(intent.answers(fact)))

    def _prompt(self, chance: random.Random, text: str, *, kept_back: str) -> Message:
        """Return a user turn; carelessness never turns it into the phrasing kept for the exam."""
        if chance.random() < self.shape.careless_share and bare(text) != bare(kept_back):
            text = written_carelessly(text, chance)
        return Message(Role.USER, text)


def _reply(text: str) -> Message:
    return Message(Role.ASSISTANT, text)


@cache
def _weights(language: Language, is_first: bool) -> tuple[tuple[Intent, ...], tuple[float, ...]]:
    intents = tuple(i for i in catalogue(language) if is_first or not i.is_first)
    return intents, tuple(accumulate(intent.weight for intent in intents))


def _draw_intent(chance: random.Random, language: Language, *, is_first: bool) -> Intent:
    intents, cumulative = _weights(language, is_first)
    return chance.choices(intents, cum_weights=cumulative)[0]
