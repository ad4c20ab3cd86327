"""One round of a battle: both sides answer the same prompt in parallel, shown by one clock.

The clock ticks for both sides at once, so that the rhythm of the text says little about who writes
it. No event carries the name of a model or the words of a provider: an error is told by its code in
our own words. Token counts of the prompt stay here too, for they name the tokenizer.
"""

import asyncio
import random
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any

from arena.conf import arena_settings
from arena.matchmaking import sample_pair
from arena.models import Battle
from arena.selectors import battle_candidates, open_sides
from arena.services import note_answers, start_battle, store_battle_prompt, store_battle_retry
from chat.admission import admit_prompt
from chat.database import in_database
from chat.models import Message
from chat.policy import checked_prompt
from chat.services import moderator_findings
from chat.turns import start_turn, stop_turn, watch_turn
from chat.visitors import Visitor
from inference import client
from inference.exceptions import InferenceError
from inference.generation import Delta

NEUTRAL_MESSAGES = {
    "queue_full": "this side is busy; try again in a moment",
    "no_worker": "this side cannot be reached at the moment",
    "model_not_found": "this side cannot be reached at the moment",
    "bus_unavailable": "the site cannot reach its models at the moment",
    "worker_lost": "this side broke off",
    "interrupted": "this side was interrupted",
    "provider_rate_limited": "this side is busy; try again in a moment",
    "provider_unavailable": "this side cannot be reached at the moment",
    "provider_cut_off": "this side broke off",
    "context_length_exceeded": "the conversation is too long for this side",
}
DEFAULT_NEUTRAL_MESSAGE = "this side could not answer"
NEUTRAL_CODE = "side_failed"

random_source = random.SystemRandom()

Event = dict[str, Any]


@dataclass
class SideOutlet:
    """What one side has to show at the next tick of the clock."""

    side: str
    deltas: list[Delta] = field(default_factory=list)
    end: Event | None = None
    is_closed: bool = False

    def flush(self) -> list[Event]:
        """Return and forget what there is: the text as one event, then the end."""
        events: list[Event] = []
        deltas, self.deltas = [delta for delta in self.deltas if delta.pieces], []
        if deltas:
            events.append(
                {
                    "type": "delta",
                    "side": self.side,
                    "seq": deltas[0].seq,
                    "count": sum(len(delta.pieces) for delta in deltas),
                    "text": "".join(delta.text for delta in deltas),
                }
            )
        if self.end is not None:
            events.append(self.end)
            self.end, self.is_closed = None, True
        return events


async def open_battle(visitor: Visitor, *, text: str) -> Battle:
    """Draw two models and store the first prompt.

    Raises:
        ChatError: the visitor or the prompt is refused.
        NotEnoughModelsError: fewer than two models can fight now.
    """
    live = await client.live_models()
    return await in_database(_open_battle, visitor, text, live)


async def go_on(visitor: Visitor, *, battle_id: str, text: str) -> Battle:
    """Store a further prompt.

    Raises:
        ArenaError: the battle takes no prompt now.
        ChatError: the visitor or the prompt is refused.
    """
    return await in_database(_go_on, visitor, battle_id, text)


async def ask_again(visitor: Visitor, *, battle_id: str) -> tuple[Battle, list[Message]]:
    """Store new versions of the answers that failed, or of both.

    Raises:
        ArenaError: the battle takes no answer now.
        ChatError: the visitor is refused.
    """
    return await in_database(_ask_again, visitor, battle_id)


async def stop_round(battle: Battle) -> None:
    """End the answers that are being written.

    A side stopped with text counts as answered, one stopped without does not.
    """
    open_answers = await in_database(open_sides, battle)
    await asyncio.gather(*(stop_turn(answer) for answer in open_answers.values()))


async def stream_round(
    battle: Battle, answers: Mapping[str, Message], *, from_seq: Mapping[str, int] | None = None
) -> AsyncGenerator[Event, None]:
    """Yield the events of the given sides until each has ended.

    Args:
        battle: whose answers they are.
        answers: the open answers, by side.
        from_seq: the token each side goes on from; None asks the models first.
    """
    outlets = [SideOutlet(side) for side in answers]
    async with asyncio.TaskGroup() as tasks:
        for outlet in outlets:
            seq = None if from_seq is None else from_seq.get(outlet.side, 0)
            tasks.create_task(_play(battle, answers[outlet.side], outlet, from_seq=seq))
        while not all(outlet.is_closed for outlet in outlets):
            await asyncio.sleep(1 / arena_settings().flush_hz)
            for outlet in outlets:
                for event in outlet.flush():
                    yield event


async def _play(
    battle: Battle, answer: Message, outlet: SideOutlet, *, from_seq: int | None
) -> None:
    """Fill the outlet of one side; its end is told after the battle knows it."""
    end = error_event(outlet.side, "interrupted", None)
    try:
        if from_seq is None:
            await start_turn(answer)
        async with aclosing(watch_turn(answer, from_seq=from_seq or 0)) as deltas:
            async for delta in deltas:
                outlet.deltas.append(delta)
                if delta.is_last:
                    end = end_event(outlet.side, delta)
    except InferenceError as error:
        end = error_event(outlet.side, error.code, getattr(error, "retry_after_s", None))
    await in_database(note_answers, battle_pk=battle.pk)
    outlet.end = end


def end_event(side: str, delta: Delta) -> Event:
    """Return the `done` or `error` event for the last delta of a side."""
    if delta.failure is not None:
        return error_event(side, delta.failure.code, None)
    usage = {"completion_tokens": delta.usage.completion_tokens} if delta.usage else None
    return {"type": "done", "side": side, "finish_reason": delta.finish_reason, "usage": usage}


def error_event(side: str, code: str, retry_after_s: int | None) -> Event:
    """Return the `error` event of a side, in words that fit every model."""
    event: Event = {
        "type": "error",
        "side": side,
        "code": code if code in NEUTRAL_MESSAGES else NEUTRAL_CODE,
        "message": NEUTRAL_MESSAGES.get(code, DEFAULT_NEUTRAL_MESSAGE),
    }
    return event if retry_after_s is None else {**event, "retry_after_s": retry_after_s}


def _open_battle(visitor: Visitor, text: str, live: frozenset[str]) -> Battle:
    prompt = checked_prompt(text, max_chars=arena_settings().max_prompt_chars)
    pairing = sample_pair(battle_candidates(live), random_source)
    admit_prompt(visitor, answer_count=2)
    findings = moderator_findings(prompt)
    return start_battle(visitor=visitor, pairing=pairing, prompt=prompt, findings=findings)


def _go_on(visitor: Visitor, battle_id: str, text: str) -> Battle:
    prompt = checked_prompt(text, max_chars=arena_settings().max_prompt_chars)
    admit_prompt(visitor, answer_count=2)
    findings = moderator_findings(prompt)
    return store_battle_prompt(
        visitor=visitor, battle_id=battle_id, prompt=prompt, findings=findings
    )


def _ask_again(visitor: Visitor, battle_id: str) -> tuple[Battle, list[Message]]:
    admit_prompt(visitor, answer_count=2)
    return store_battle_retry(visitor=visitor, battle_id=battle_id)
