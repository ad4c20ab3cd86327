"""What one request of a key has used, written down once when all of it has ended."""

import asyncio
import logging
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from contextvars import ContextVar
from dataclasses import dataclass, field

from django.db import DatabaseError, close_old_connections

from inference import client, services
from inference.exceptions import InferenceError, ModelNotFoundError
from inference.generation import Delta, GenerationRequest, Usage
from inference.models import ApiKey
from inference.rate_limit import Allowance

logger = logging.getLogger(__name__)

# How long a model that was told to stop may take to say what it has counted.
CUT_PATIENCE_S = 10.0
# A thread of its own, with one connection: the request whose thread Django lends may be over.
WRITER = ThreadPoolExecutor(max_workers=1, thread_name_prefix="metering")
_METER: ContextVar["Meter | None"] = ContextVar("meter", default=None)
_running: set[asyncio.Task[None]] = set()


@dataclass(slots=True)
class Meter:
    """Counts what one request of a key uses.

    Whoever still adds to it holds it; it is written down when the last holder has released it.

    Attributes:
        key: who asks.
        spend: counts tokens against the key's minute and tells where it stands, if it has a limit.
        model: who answers; empty until a model has been asked that exists.
        is_failed: whether the program was told of an error.
        allowance: what the key may still use this minute, where that is limited.
    """

    key: ApiKey
    spend: Callable[[int], Allowance | None]
    model: str = ""
    prompt_tokens: int = 0
    completion_tokens: int = 0
    is_failed: bool = False
    allowance: Allowance | None = None
    _holder_count: int = field(default=1, init=False)

    def hold(self) -> None:
        """Keep the meter open until a release more."""
        self._holder_count += 1

    def add(self, model: str, usage: Usage) -> None:
        """Count tokens of a model that exists."""
        self.model = model
        self.prompt_tokens += usage.prompt_tokens
        self.completion_tokens += usage.completion_tokens

    async def release(self) -> None:
        """Let go; the last one writes everything down, even if it is cancelled meanwhile."""
        self._holder_count -= 1
        if self._holder_count == 0:
            loop = asyncio.get_running_loop()
            await asyncio.shield(loop.run_in_executor(WRITER, self._write))

    def _write(self) -> None:
        close_old_connections()
        self.allowance = self.spend(self.prompt_tokens + self.completion_tokens)
        try:
            services.record_api_usage(
                key=self.key,
                model=self.model,
                prompt_tokens=self.prompt_tokens,
                completion_tokens=self.completion_tokens,
                is_failed=self.is_failed,
            )
        except DatabaseError:  # the answer is given; a count that is lost is ours to mourn
            logger.exception("cannot count what key %s used", self.key.prefix)


def open_meter(meter: Meter | None) -> None:
    """Let what is asked from here on be counted by this meter; None counts nothing."""
    _METER.set(meter)


def current_meter() -> Meter | None:
    """Return the meter of the request that is being answered, if a key asked."""
    return _METER.get()


def count_for_key(model: str, usage: Usage) -> None:
    """Count tokens for the key that asks, if one does."""
    if (meter := current_meter()) is not None:
        meter.add(model, usage)


@dataclass(slots=True)
class Tally:
    """What one answer has come to so far."""

    request: GenerationRequest
    has_begun: bool = False
    next_seq: int = 0
    end: Delta | None = None
    error: Exception | None = None

    def take(self, delta: Delta) -> None:
        """Note how far the answer has come."""
        self.next_seq = delta.next_seq
        if delta.is_last:
            self.end = delta

    @property
    def is_failed(self) -> bool:
        """Whether the answer broke."""
        return self.error is not None or (self.end is not None and self.end.failure is not None)

    async def usage(self) -> Usage:
        """Return the answer's exact counts; of one that was cut, what its model says of it."""
        if not self.has_begun or self.error is not None:
            return Usage(0, self.next_seq)
        end = self.end or await self._end_of_the_cut()
        return (end.usage if end else None) or Usage(0, self.next_seq)

    async def _end_of_the_cut(self) -> Delta | None:
        try:
            async with (
                asyncio.timeout(CUT_PATIENCE_S),
                aclosing(client.follow(self.request.request_id, from_seq=self.next_seq)) as deltas,
            ):
                async for delta in deltas:
                    self.take(delta)
        except (TimeoutError, InferenceError) as error:
            logger.info("no count of a cut answer: %s", type(error).__name__)
        return self.end


def settle_later(
    meter: Meter, tallies: Iterable[Tally], ended: Iterable[asyncio.Task[None]]
) -> asyncio.Task[None]:
    """Count the answers once all have ended, whatever becomes of who asked.

    A prompt with several answers counts once, as the answer to the program tells it.
    """
    meter.hold()
    settling = asyncio.create_task(_settle(meter, list(tallies), list(ended)))
    _running.add(settling)
    settling.add_done_callback(_running.discard)
    return settling


async def _settle(meter: Meter, tallies: list[Tally], ended: list[asyncio.Task[None]]) -> None:
    await asyncio.gather(*ended, return_exceptions=True)
    usages = await asyncio.gather(*(tally.usage() for tally in tallies))
    prompts: dict[tuple[int, int], int] = {}
    for tally, usage in zip(tallies, usages, strict=True):
        meter.is_failed |= tally.is_failed
        if isinstance(tally.error, ModelNotFoundError):
            continue  # anybody can make up names; they get no rows
        prompt = (id(tally.request.messages), id(tally.request.prompt))
        more = max(0, usage.prompt_tokens - prompts.get(prompt, 0))
        prompts[prompt] = prompts.get(prompt, 0) + more
        meter.add(tally.request.model, Usage(more, usage.completion_tokens))
    await meter.release()
