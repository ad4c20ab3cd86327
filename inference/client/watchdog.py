"""The thread that looks after silent answers: reads logs, fails over, ends what is lost."""

import logging
import threading
import time
from collections.abc import Callable, Iterable
from typing import Protocol

from inference.bus import Bus
from inference.bus.events import Event, Order, RequestView
from inference.client.watch import (
    LOST_STREAM,
    Action,
    End,
    Forget,
    Republish,
    Requeue,
    Watch,
    decide,
    end_for,
    tail_for,
)
from inference.conf import InferenceSettings
from inference.exceptions import BusUnavailableError
from inference.generation import Failure
from inference.providers.transport import post

logger = logging.getLogger(__name__)

TICK_S = 0.25
CALM_S = 2.0  # after the bus was away its heartbeats need a moment to come back

Publish = Callable[[str, str, int], None]


class Readers(Protocol):
    """What the watchdog needs of the hub."""

    def watches(self) -> dict[str, Watch]:
        """Return the answers that are read in this process."""

    def hand_out(self, events: Iterable[Event]) -> None:
        """Give events to their readers."""

    def fail(self, watch: Watch, failure: Failure) -> None:
        """End an answer for its readers here."""


class Watchdog:
    """Wakes when it is stirred, and often while anything is read.

    Args:
        bus: the bus.
        settings: the times.
        publish: puts the task of a model's request and attempt into the queue.
        readers: who reads what.
    """

    def __init__(
        self, bus: Bus, settings: InferenceSettings, publish: Publish, readers: Readers
    ) -> None:
        self._bus = bus
        self._settings = settings
        self._publish = publish
        self._readers = readers
        self._stir = threading.Event()
        self._is_closing = False
        self._calm_until = 0.0
        self._thread = threading.Thread(target=self._run, name="watchdog", daemon=True)
        self._thread.start()

    def stir(self) -> None:
        """Look now."""
        self._stir.set()

    def calm(self) -> None:
        """Judge nobody for a moment: the bus was away."""
        self._calm_until = time.monotonic() + CALM_S

    def close(self) -> None:
        """Stop watching."""
        self._is_closing = True
        self._stir.set()
        self._thread.join(TICK_S + self._settings.bus_timeout_s)

    def _run(self) -> None:
        while not self._is_closing:
            self._stir.wait(TICK_S if self._readers.watches() else None)
            self._stir.clear()
            try:
                self._look()
            except BusUnavailableError:
                self.calm()
                time.sleep(self._settings.bus_pause_s)
            except Exception:  # without its watchdog a process would wait for ever
                logger.exception("the watchdog stumbled")
                time.sleep(TICK_S)

    def _look(self) -> None:
        """Read the logs of answers that are silent or have holes, and judge the silent ones."""
        now = time.monotonic()
        watches = self._readers.watches()
        silence_s = self._settings.silence_s
        silent = {key for key, watch in watches.items() if now - watch.heard_at > silence_s}
        due = silent | {key for key, watch in watches.items() if watch.wants_log}
        if not due:
            return
        for request_id in due:
            watches[request_id].wants_log = False
        views = self._bus.inspect(due)
        workers = self._bus.workers() if silent else []
        for request_id in due:
            view, watch = views.get(request_id), watches[request_id]
            if view is not None:
                self._readers.hand_out(view.log)
            self._end_old_holes(watch, now)
            if request_id in silent and now > self._calm_until:
                action = decide(watch, view, workers, now, self._settings)
                self._act(action, request_id, watch, view, now)

    def _end_old_holes(self, watch: Watch, now: float) -> None:
        limit_s = self._settings.stream_lost_after_s
        holes = [reader.holed_since for reader in list(watch.readers)]
        if any(since is not None and now - since > limit_s for since in holes):
            self._readers.fail(watch, LOST_STREAM)

    def _act(
        self,
        action: Action | None,
        request_id: str,
        watch: Watch,
        view: RequestView | None,
        now: float,
    ) -> None:
        match action:
            case Forget():
                self._readers.fail(watch, action.failure)
            case End() if view is not None:
                end = end_for(watch, view, request_id, action.failure)
                self._bus.close_request(request_id, attempt=view.attempt, event=end)
                self._readers.hand_out([end])
            case Requeue() if view is not None:
                self._fail_over(request_id, watch, view)
                watch.published_at = now
            case Republish() if view is not None:
                watch.published_at = now
                post(self._publish, view.model, request_id, view.attempt)

    def _fail_over(self, request_id: str, watch: Watch, view: RequestView) -> None:
        """Let another worker go on where the dead one stopped."""
        tail = tail_for(watch, view, request_id)
        if not self._bus.requeue(request_id, attempt=view.attempt, tail=tail):
            return
        logger.warning("a worker is gone; another one continues its answer")
        self._readers.hand_out([tail])
        # Should it live after all, it need not go on.
        self._bus.send_order(view.worker_id, Order("cancel", request_id))
        post(self._publish, view.model, request_id, tail.attempt)
