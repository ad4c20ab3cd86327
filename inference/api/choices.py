"""The answers to one order, growing side by side."""

import asyncio
from collections.abc import Iterable
from contextlib import aclosing

from inference import client
from inference.api.limits import CHOICES_AT_ONCE
from inference.api.metering import Tally, current_meter, settle_later
from inference.exceptions import GenerationFailedError
from inference.generation import Delta, Failure, FinishReason, GenerationRequest

# Deltas that may wait for a slow reader; beyond that the answers wait for the reader.
PENDING_DELTAS = 64
# A model that was told to stop may take longer to say what it counted; nobody waits for that.
COUNTED_WITHIN_S = 1.0
STOPPED_HERE = Failure(code="cancelled", message="the answer was stopped by the server")


class Choices:
    """Runs the requests and hands out their deltas in the order they come.

    Whoever makes it closes it: that cancels what still runs, so that the models are free again.
    """

    def __init__(self, requests: Iterable[GenerationRequest]) -> None:
        self._queue: asyncio.Queue[tuple[int, Delta] | Exception] = asyncio.Queue(PENDING_DELTAS)
        self._loop = asyncio.get_running_loop()
        self._turns = asyncio.Semaphore(CHOICES_AT_ONCE)
        tallies = [Tally(request) for request in requests]
        self._tasks = [
            asyncio.create_task(self._run(index, tally), name=f"choice {tally.request.request_id}")
            for index, tally in enumerate(tallies)
        ]
        self._open_count = len(self._tasks)
        meter = current_meter()
        self._settling = settle_later(meter, tallies, self._tasks) if meter else None

    @property
    def has_ended(self) -> bool:
        """Whether every answer has been handed out to its end."""
        return self._open_count == 0

    async def next(self, timeout_s: float | None = None) -> tuple[int, Delta] | None:
        """Return the next delta with the index of its answer, or None when all have ended.

        Raises:
            TimeoutError: nothing came in time; asking again is fine.
            InferenceError: an answer could not be begun, followed or finished.
        """
        if self._open_count == 0:
            return None
        async with asyncio.timeout(timeout_s):
            event = await self._queue.get()
        if isinstance(event, Exception):
            raise event
        _, delta = event
        if delta.finish_reason in {FinishReason.ERROR, FinishReason.CANCELLED}:
            failure = delta.failure or STOPPED_HERE
            raise GenerationFailedError(code=failure.code, message=failure.message)
        if delta.is_last:
            self._open_count -= 1
        return event

    async def close(self) -> None:
        """Cancel what still runs and wait until the models know and a key's use is counted."""
        self.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._settling is not None:
            await asyncio.wait({self._settling}, timeout=COUNTED_WITHIN_S)

    def cancel(self) -> None:
        """Ask the answers to stop; on the event loop."""
        for task in self._tasks:
            task.cancel()

    def cancel_from_thread(self) -> None:
        """Ask the answers to stop; from any thread."""
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self.cancel)

    async def _run(self, index: int, tally: Tally) -> None:
        try:
            async with self._turns, aclosing(client.stream_reply(tally.request)) as deltas:
                tally.has_begun = True
                async for delta in deltas:
                    tally.take(delta)
                    await self._queue.put((index, delta))
        except Exception as error:  # travels to the reader, who raises it
            tally.error = error
            await self._queue.put(error)
