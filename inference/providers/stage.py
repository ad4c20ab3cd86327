"""Answers written inside this process: an event loop in a thread, with a station on the bus."""

import asyncio
import logging
import secrets
import threading
from collections.abc import Coroutine
from contextlib import aclosing
from typing import Any

from inference.bus import Bus
from inference.bus.events import Heartbeat
from inference.bus.outbox import Output
from inference.bus.station import Station
from inference.conf import InferenceSettings, inference_settings
from inference.exceptions import InferenceError, InvalidRequestError
from inference.generation import Failure, FinishReason, GenerationRequest
from inference.providers.base import AnySource, TextSource
from inference.providers.transport import ask, site_bus
from inference.providers.wire.client import close_client_of_loop
from inference.providers.worker import check_size
from inference.requests import AnyRequest, EmbeddingRequest, TokensRequest

logger = logging.getLogger(__name__)

EVERY_REQUEST = (GenerationRequest, EmbeddingRequest, TokensRequest)


class Stage:
    """Runs text sources and publishes what they say as a worker would.

    It has a loop of its own, so that an answer outlives the call that started it.
    """

    def __init__(self, bus: Bus, settings: InferenceSettings) -> None:
        self._settings = settings
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="stage", daemon=True)
        self._thread.start()
        self._worker_id = f"stage-{secrets.token_hex(8)}"
        self._station = Station(
            bus,
            worker_id=self._worker_id,
            vitals=self._vitals,
            on_cancel=self._cancel,
            interval_s=settings.heartbeat_interval_s,
            chunk_tokens=settings.log_chunk_tokens,
            pause_s=settings.bus_pause_s,
        )

    def _vitals(self) -> Heartbeat:
        # No model names: every web process knows its text sources from the settings.
        return Heartbeat(self._worker_id, (), slots=0, running=len(self._tasks))

    def _cancel(self, request_id: str) -> None:
        task = self._tasks.get(request_id)
        if task is not None:
            self._loop.call_soon_threadsafe(task.cancel)

    def play(self, source: TextSource | AnySource, request_id: str) -> None:
        """Begin to answer a request that was submitted."""
        patience_s = self._settings.queue_patience_s
        claim = self._station.claim(request_id, 0, patience_s=patience_s)
        if claim is not None:
            self._spawn(self._tell(source, claim.request), request_id)

    def _spawn(self, work: Coroutine[Any, Any, None], request_id: str) -> None:
        def begin() -> None:
            task = self._loop.create_task(work)
            self._tasks[request_id] = task
            task.add_done_callback(lambda _: self._tasks.pop(request_id, None))
            if self._station.was_cancelled(request_id):
                task.cancel()

        self._loop.call_soon_threadsafe(begin)

    async def _tell(self, source: TextSource | AnySource, request: AnyRequest) -> None:
        request_id = request.request_id
        outbox = self._station.outbox
        try:
            async with asyncio.timeout(self._settings.request_timeout_s):
                # Whoever plays has checked that the source takes requests of this kind.
                async with aclosing(source.stream(request)) as outputs:  # type: ignore[arg-type]
                    async for output in outputs:
                        outbox.put([output])
        except asyncio.CancelledError:
            outbox.put([Output(request_id, finish_reason=FinishReason.CANCELLED)])
        except InferenceError as error:
            outbox.fail(request_id, Failure(error.code, str(error)))
        except TimeoutError:
            outbox.fail(request_id, Failure("timeout", "the answer took too long"))
        except Exception:  # a source is foreign code; its reader must hear of the end
            logger.exception("a text source failed")
            outbox.fail(request_id, Failure("engine_error", "the answer could not be finished"))

    async def _leave(self) -> None:
        """Cancel the answers, close their connections and stop the loop."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.wait([asyncio.gather(*tasks, return_exceptions=True)], timeout=1)
        await close_client_of_loop()
        self._loop.stop()

    def close(self) -> None:
        """Break off what runs and leave the bus."""
        failure = Failure("worker_shutdown", "the server is shutting down")
        self._station.outbox.fail_all(failure)
        self._station.close()

        asyncio.run_coroutine_threadsafe(self._leave(), self._loop)
        self._thread.join(2)
        if not self._thread.is_alive():
            self._loop.close()


class StageProvider:
    """Requests for models that a text source of this process answers.

    Args:
        source: who writes the answers.
        slots: answers at the same time; more are refused.
        takes: the kinds of requests that it answers.
    """

    def __init__(
        self,
        source: TextSource | AnySource,
        *,
        slots: int,
        takes: tuple[type[AnyRequest], ...] = (GenerationRequest,),
    ) -> None:
        self._source = source
        self._slots = slots
        self._takes = takes

    async def start(self, request: AnyRequest, *, inbox: str) -> None:
        """Admit a request and begin its answer; see `Provider.start`.

        Raises:
            InvalidRequestError: as there, or something else than an answer is wanted.
        """
        if not isinstance(request, self._takes):
            raise InvalidRequestError(f"{request.model} writes answers and nothing else")
        settings = inference_settings()
        check_size(request, settings)
        bus = site_bus()
        await ask(
            bus.submit,
            request,
            inbox=inbox,
            capacity=self._slots,
            retry_after_s=settings.retry_after_s,
        )
        stage = open_stage(bus, settings)
        await ask(stage.play, self._source, request.request_id)


_lock = threading.Lock()
_stages: dict[Bus, Stage] = {}


def open_stage(bus: Bus, settings: InferenceSettings) -> Stage:
    """Return this process's stage on a bus."""
    with _lock:
        if bus not in _stages:
            _stages[bus] = Stage(bus, settings)
        return _stages[bus]


def close_stages() -> None:
    """Close this process's stages, at the end of the process or of a test."""
    with _lock:
        stages = list(_stages.values())
        _stages.clear()
    for stage in stages:
        stage.close()
