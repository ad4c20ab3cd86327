"""A stand-in for `inference.client`: models that say what a test wrote down."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field

import pytest

from inference import client
from inference.exceptions import BusUnavailableError, ModelNotFoundError
from inference.generation import Delta, FinishReason, GenerationRequest, Usage


def spoken(*texts: str, reason: FinishReason = FinishReason.STOP) -> list[Delta]:
    """Return the deltas of an answer: one token a text, the last one with the end and usage."""
    usage = Usage(prompt_tokens=5, completion_tokens=len(texts))
    deltas = [Delta(seq=index, pieces=(text,)) for index, text in enumerate(texts)]
    return [*deltas, Delta(seq=len(texts), finish_reason=reason, usage=usage)]


@dataclass
class CannedClient:
    """Answers by model name.

    Attributes:
        answers: what each model says: deltas, an exception to raise, or seconds to be silent.
        answer: says it for each request instead, where it is set.
        requests: everything that was asked.
        open_count: streams that are being read and have not ended.
        most_open: the most of them at one time.
        is_bus_down: whether the bus is out of reach.
        opened: the id of each request, as its stream begins to be read.
        all_ended: set when no stream is open any more.
    """

    answers: dict[str, Sequence[Delta | Exception | float]] = field(default_factory=dict)
    answer: Callable[[GenerationRequest], Sequence[Delta | Exception | float]] | None = None
    requests: list[GenerationRequest] = field(default_factory=list)
    open_count: int = 0
    most_open: int = 0
    is_bus_down: bool = False
    opened: asyncio.Queue[str] = field(default_factory=asyncio.Queue)
    all_ended: asyncio.Event = field(default_factory=asyncio.Event)

    async def live_models(self) -> frozenset[str]:
        if self.is_bus_down:
            raise BusUnavailableError("the bus does not answer")
        return frozenset(self.answers)

    async def stream_reply(self, request: GenerationRequest) -> AsyncIterator[Delta]:
        self.requests.append(request)
        if request.model not in self.answers:
            raise ModelNotFoundError(request.model)
        self.open_count += 1
        self.most_open = max(self.most_open, self.open_count)
        self.opened.put_nowait(request.request_id)
        try:
            said = self.answers[request.model] if self.answer is None else self.answer(request)
            for step in said:
                if isinstance(step, Exception):
                    raise step
                if isinstance(step, float):
                    await asyncio.sleep(step)
                else:
                    yield step
        finally:
            self.open_count -= 1
            if self.open_count == 0:
                self.all_ended.set()

    async def follow(self, request_id: str, *, from_seq: int = 0) -> AsyncIterator[Delta]:
        """Yield the end of an answer that was cut, as a worker tells it: with its counts."""
        usage = Usage(prompt_tokens=5, completion_tokens=from_seq)
        yield Delta(seq=from_seq, finish_reason=FinishReason.CANCELLED, usage=usage)

    async def wait_for_streams(self, count: int) -> None:
        """Return when so many more streams have begun."""
        async with asyncio.timeout(20):
            for _ in range(count):
                await self.opened.get()

    def install(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Put this client in the place of the real one for one test."""
        monkeypatch.setattr(client, "live_models", self.live_models, raising=False)
        monkeypatch.setattr(client, "stream_reply", self.stream_reply, raising=False)
        monkeypatch.setattr(client, "follow", self.follow, raising=False)
