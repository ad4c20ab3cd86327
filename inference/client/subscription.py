"""One reader of one answer: puts events in order, drops doubles, notices holes."""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Iterable

from inference.bus.events import Event
from inference.generation import Delta, Failure, FinishReason, TokenScore


class Subscription:
    """A reader bound to the event loop it was made on.

    Everything that has come since the reader last looked is one delta, so a slow reader gets
    fewer and larger ones.

    Args:
        request_id: the answer to read.
        from_seq: index of the first token the reader lacks.
        on_hole: called when tokens are missing, so that somebody reads the log.
    """

    def __init__(self, request_id: str, from_seq: int, on_hole: Callable[[str], None]) -> None:
        self.request_id = request_id
        self.loop = asyncio.get_running_loop()
        self.holed_since: float | None = None
        self.has_ended = False
        self._on_hole = on_hole
        self._attempt = 0
        self._read_seq = from_seq  # what the reader has
        self._expected = from_seq  # what has come
        self._pieces: list[str] = []
        self._scores: list[TokenScore] = []
        self._ending: Event | None = None
        self._ahead: dict[int, Event] = {}
        self._wake = asyncio.Event()

    def take(self, events: Iterable[Event]) -> None:
        """Add events, in any order and any number of times; only on the reader's loop."""
        for event in events:
            self._place(event)
        while self._ahead and min(self._ahead) <= self._expected:
            self._place(self._ahead.pop(min(self._ahead)))
        if not self._ahead:
            self.holed_since = None
        elif self.holed_since is None:
            self.holed_since = time.monotonic()
        if self._ahead:
            self._on_hole(self.request_id)
        if self._expected > self._read_seq or self._ending:
            self._wake.set()

    def _place(self, event: Event) -> None:
        if self._ending or event.attempt < self._attempt:
            return
        if event.attempt > self._attempt:
            self._attempt = event.attempt
            self._ahead.clear()
        if event.seq > self._expected:
            known = self._ahead.get(event.seq)
            if known is None or known.end <= event.end:
                self._ahead[event.seq] = event
            return
        news = event.since(self._expected)
        self._pieces += news.pieces
        self._scores += news.scores
        self._expected = max(self._expected, event.end)
        if event.is_last:
            self._ending = event

    def fail(self, failure: Failure) -> None:
        """End the answer for this reader; only on its loop."""
        if self._ending is None:
            self._ending = Event(
                self.request_id,
                self._attempt,
                self._expected,
                finish_reason=FinishReason.ERROR,
                failure=failure,
            )
            self._wake.set()

    async def deltas(self) -> AsyncGenerator[Delta, None]:
        """Yield the answer from `from_seq` on; the last delta has a finish reason.

        The wait between deltas is bounded by the hub, which ends an answer that is lost.
        """
        while not self.has_ended:
            await self._wake.wait()
            self._wake.clear()
            yield self._collect()

    def _collect(self) -> Delta:
        seq, pieces, ending = self._read_seq, tuple(self._pieces), self._ending
        scores = tuple(self._scores)
        self._read_seq += len(pieces)
        self._pieces.clear()
        self._scores.clear()
        if ending is None:
            return Delta(seq, pieces, scores=scores)
        self.has_ended = True
        return Delta(
            seq,
            pieces,
            ending.finish_reason,
            ending.usage,
            ending.failure,
            scores,
            ending.result,
        )
