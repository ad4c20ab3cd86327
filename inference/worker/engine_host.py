"""One engine, its thread, and its place on the bus."""

import logging
import secrets
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from inference.bus import Bus
from inference.bus.events import Claim, Heartbeat
from inference.bus.station import Station
from inference.conf import InferenceSettings
from inference.exceptions import EngineLostError, InferenceError
from inference.generation import Failure
from inference.messages import Message
from inference.worker.engine_protocol import Engine
from inference.worker.request_desk import RequestDesk
from inference.worker.tally import tally_of

logger = logging.getLogger(__name__)

IDLE_S = 0.25
CPU_PATIENCE = 4  # a large model may read a chunk of a prompt for a minute there
FAILED_STEPS_LIMIT = 3

SHUTDOWN = Failure("worker_shutdown", "the worker was asked to leave before the answer was done")
BROKEN = Failure("engine_error", "the model could not go on with this answer")
TOO_LONG = Failure("timeout", "the answer took too long")


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """What a worker knows about its model.

    Attributes:
        context_length: the window in tokens; 0 where it is not known.
        device: where it runs.
        dtype: number format of its weights.
        architecture: the model's type, such as "llama" or "t5".
        template: the family whose chat template is used; "" where the model has its own.
        description: how it is computed, for people.
        takes_images: whether messages may hold images.
        tool_format: how it writes calls of functions; see `inference.tools`.
    """

    context_length: int = 0
    device: str = "cpu"
    dtype: str = "float32"
    architecture: str = ""
    template: str = ""
    description: str = ""
    takes_images: bool = False
    tool_format: str = ""


def _do_nothing() -> None:
    """Stand in where nobody wants to know."""


class EngineHost:
    """Runs an engine in a thread, answers claimed requests, beats while the engine moves.

    Args:
        engine: the engine; its `step` is called from the host's thread alone.
        names: models it answers for.
        bus: the bus.
        settings: the times.
        facts: what is known about the model; most of it goes into the heartbeat.
        on_fatal: called with a reason when the engine thread is dead or stuck; the heartbeat has
            stopped by then.
        adapters: the engine's adapters by the names they answer to; other names are the model's.

    Attributes:
        on_room: called after a step that ended an answer.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        names: Sequence[str],
        bus: Bus,
        settings: InferenceSettings,
        facts: ModelFacts,
        on_fatal: Callable[[str], None],
        adapters: Mapping[str, str] | None = None,
    ) -> None:
        self.names = tuple(names)
        self.facts = facts
        self._adapters = adapters or {}
        self._engine = engine
        self._settings = settings
        self._on_fatal = on_fatal
        self.on_room: Callable[[], None] = _do_nothing
        self._stall_s = settings.engine_stall_s * (CPU_PATIENCE if facts.device == "cpu" else 1)
        self._is_draining = False
        self._is_leaving = False
        self._is_lost = False
        self._moved_at = time.monotonic()
        # A stranger at every start: a restart inside the time to live is a death all the same.
        self.worker_id = secrets.token_hex(8)
        self._beat = Heartbeat(
            self.worker_id,
            self.names,
            slots=engine.load().slots,
            context_length=facts.context_length,
            device=facts.device,
            dtype=facts.dtype,
            takes_images=facts.takes_images,
            tool_format=facts.tool_format,
        )
        self._desk = RequestDesk(engine, self._adapters)
        self._thread = threading.Thread(
            target=self._run, name=f"engine {self.names[0]}", daemon=True
        )
        self._thread.start()
        self._station = Station(
            bus,
            worker_id=self.worker_id,
            vitals=self._vitals,
            on_cancel=self._desk.cancel,
            interval_s=settings.heartbeat_interval_s,
            chunk_tokens=settings.log_chunk_tokens,
            pause_s=settings.bus_pause_s,
        )

    @property
    def slots(self) -> int:
        """Answers generated at the same time."""
        return self._beat.slots

    @property
    def context_length(self) -> int:
        """The model's window in tokens; 0 where it is not known."""
        return self._beat.context_length

    def prompt_text(self, messages: Sequence[Message]) -> str:
        """Return the text that the model reads for a conversation.

        Raises:
            InferenceError: it cannot be written.
        """
        return self._engine.prompt_text(messages, adapter=self._adapters.get(self.names[0], ""))

    @property
    def takes_images(self) -> bool:
        """Whether messages may hold images."""
        return self._beat.takes_images

    @property
    def tool_format(self) -> str:
        """How the model writes calls of functions; see `inference.tools.formats`."""
        return self._beat.tool_format

    @property
    def has_room(self) -> bool:
        """Whether a request taken off the queue now would start soon."""
        load = self._engine.load()
        return not self._is_draining and load.running + load.waiting < load.slots + 2

    def answer(self, request_id: str, attempt: int) -> None:
        """Claim a request, have the engine answer it, return when the answer has left.

        Does nothing where the request was claimed, cancelled or tried anew meanwhile.
        """
        patience_s = self._settings.queue_patience_s * 2
        claim = self._station.claim(request_id, attempt, patience_s=patience_s)
        if claim is None:
            return
        outbox = self._station.outbox
        self._submit(claim)
        if not outbox.wait(request_id, self._settings.request_timeout_s):
            outbox.fail(request_id, TOO_LONG)
            self._desk.cancel(request_id)
            outbox.wait(request_id, self._settings.bus_timeout_s)

    def _submit(self, claim: Claim) -> None:
        """Give a claimed request to the engine."""
        request_id = claim.request.request_id
        try:
            end = self._desk.take(claim)
        except InferenceError as error:
            self._refuse(request_id, Failure(error.code, str(error)))
        except Exception:  # the engine lives on; this request does not
            logger.exception("a request could not be submitted")
            self._refuse(request_id, BROKEN)
        else:
            if end is not None:
                self._station.outbox.put([end])
        if self._station.was_cancelled(request_id):
            self._desk.cancel(request_id)

    def _refuse(self, request_id: str, failure: Failure) -> None:
        self._desk.forget(request_id)
        self._station.outbox.fail(request_id, failure)

    def _run(self) -> None:
        failed_steps = 0
        while not self._is_leaving:
            if not self._engine.has_work() and not self._engine.wait_for_work(IDLE_S):
                self._moved_at = time.monotonic()
                continue
            try:
                outputs = self._engine.step()
            except EngineLostError:  # no step will ever work again
                logger.exception("an engine is lost")
                self._drop_all(BROKEN)
                return
            except Exception:  # one request may be to blame; three in a row, it is the engine
                logger.exception("an engine step failed")
                failed_steps += 1
                self._drop_all(BROKEN)
                if failed_steps >= FAILED_STEPS_LIMIT:
                    return
                continue
            failed_steps = 0
            self._moved_at = time.monotonic()
            told = [self._desk.output(output) for output in outputs]
            self._station.outbox.put([output for output in told if output is not None])
            if any(output.finish_reason is not None for output in outputs):
                self.on_room()

    def _drop_all(self, failure: Failure) -> None:
        outbox = self._station.outbox
        for request_id in outbox.open_requests():
            outbox.fail(request_id, failure)
            self._desk.cancel(request_id)

    def _vitals(self) -> Heartbeat | None:
        """Return the heartbeat, or None for an engine that stands still."""
        if self._is_lost:
            return None
        still_s = time.monotonic() - self._moved_at
        if not self._thread.is_alive() and not self._is_leaving:
            self._give_up("its thread is dead")
        elif still_s > self._stall_s:
            self._give_up(f"no step for {still_s:.0f} s")
        else:
            load = self._engine.load()
            return replace(
                self._beat,
                running=load.running,
                waiting=load.waiting,
                is_draining=self._is_draining,
                tally=tally_of(self._engine.stats()),
            )
        return None

    def _give_up(self, reason: str) -> None:
        self._is_lost = True
        logger.critical("the engine of %s gives up: %s", self.names[0], reason)
        self._on_fatal(reason)

    def wait_until_live(self, timeout_s: float) -> bool:
        """Return True once others can see the models, False after `timeout_s`."""
        return self._station.wait_until_heard(timeout_s)

    def drain(self) -> None:
        """Take no new requests and let others know; what runs goes on."""
        self._is_draining = True
        self._station.beat_now()

    def finish(self, timeout_s: float) -> None:
        """Wait for running answers, then end what is left with `worker_shutdown`."""
        deadline = time.monotonic() + timeout_s
        outbox = self._station.outbox
        while time.monotonic() < deadline and (open_requests := outbox.open_requests()):
            outbox.wait(open_requests[0], deadline - time.monotonic())
        self._drop_all(SHUTDOWN)

    def close(self) -> None:
        """Leave the bus and stop the engine thread."""
        self._is_draining = True
        self._drop_all(SHUTDOWN)
        self._station.close()
        self._is_leaving = True
        self._thread.join(2)
