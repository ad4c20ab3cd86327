"""The process's one ear on the bus: hands events to readers, heals holes, sees workers die."""

import logging
import secrets
import threading
import time
from collections.abc import Callable, Iterable
from functools import partial

from inference.bus import Bus
from inference.bus.events import Event, Order, RequestView
from inference.client.subscription import Subscription
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
from inference.conf import InferenceSettings, inference_settings
from inference.exceptions import BusUnavailableError, InferenceError
from inference.providers.stage import close_stages
from inference.providers.transport import close_site_bus, post, site_bus
from inference.providers.worker import publish_task

logger = logging.getLogger(__name__)

TICK_S = 0.25
CALM_S = 2.0  # after the bus was away its heartbeats need a moment to come back


class Hub:
    """Readers by request, one inbox, one watchdog thread.

    Args:
        bus: the bus.
        settings: the times.
        publish: puts the task of a model's request and attempt into the queue.
    """

    def __init__(
        self, bus: Bus, settings: InferenceSettings, publish: Callable[[str, str, int], None]
    ) -> None:
        self.inbox = secrets.token_hex(8)
        self._bus = bus
        self._settings = settings
        self._publish = publish
        self._lock = threading.Lock()
        self._watches: dict[str, Watch] = {}
        self._stir = threading.Event()
        self._is_closing = False
        self._calm_until = 0.0
        self._ear = bus.subscribe(self.inbox, on_frame=self._hear, on_gap=self._mind_gap)
        self._thread = threading.Thread(target=self._run, name="watchdog", daemon=True)
        self._thread.start()

    def open(self, request_id: str, from_seq: int) -> Subscription:
        """Return a new reader; to be called on its event loop."""
        reader = Subscription(request_id, from_seq, self._want_log)
        now = time.monotonic()
        with self._lock:
            watch = self._watches.setdefault(request_id, Watch(heard_at=now, published_at=now))
            watch.readers.append(reader)
        self._stir.set()
        return reader

    def close(self, reader: Subscription) -> None:
        """Forget a reader."""
        with self._lock:
            watch = self._watches.get(reader.request_id)
            if watch is not None and reader in watch.readers:
                watch.readers.remove(reader)
                if not watch.readers:
                    del self._watches[reader.request_id]

    def shut(self) -> None:
        """Stop listening and watching."""
        self._is_closing = True
        self._stir.set()
        self._ear.close()
        self._thread.join(TICK_S + self._settings.bus_timeout_s)

    def _hear(self, events: list[Event]) -> None:
        """Take a frame; runs in a thread of the bus."""
        now = time.monotonic()
        with self._lock:
            for event in events:
                watch = self._watches.get(event.request_id)
                if watch is not None:
                    watch.heard_at = now
                    watch.recent.append(event)
        self._hand_out(events)

    def _hand_out(self, events: Iterable[Event]) -> None:
        """Give events to their readers, with one call for each event loop."""
        calls: dict[int, tuple[Subscription, list[tuple[Subscription, Event]]]] = {}
        with self._lock:
            for event in events:
                watch = self._watches.get(event.request_id)
                for reader in watch.readers if watch is not None else ():
                    batch = calls.setdefault(id(reader.loop), (reader, []))[1]
                    batch.append((reader, event))
        for first, batch in calls.values():
            self._call_loop(first, partial(_take_all, batch))

    def _call_loop(self, reader: Subscription, call: Callable[[], None]) -> None:
        try:
            reader.loop.call_soon_threadsafe(call)
        except RuntimeError:  # its loop is closed: nobody reads any more
            self.close(reader)

    def _want_log(self, request_id: str) -> None:
        with self._lock:
            watch = self._watches.get(request_id)
            if watch is None or watch.wants_log:
                return
            watch.wants_log = True
        self._stir.set()

    def _mind_gap(self) -> None:
        """Read every log again: frames may have been missed."""
        self._calm_until = time.monotonic() + CALM_S
        with self._lock:
            for watch in self._watches.values():
                watch.wants_log = True
        self._stir.set()

    def _run(self) -> None:
        while not self._is_closing:
            if self._watches:
                self._stir.wait(TICK_S)
            else:
                self._stir.wait()
            self._stir.clear()
            try:
                self._look_after_all()
            except BusUnavailableError:
                self._calm_until = time.monotonic() + CALM_S
                time.sleep(self._settings.bus_pause_s)
            except Exception:  # without its watchdog a process would wait for ever
                logger.exception("the watchdog stumbled")
                time.sleep(TICK_S)

    def _look_after_all(self) -> None:
        now = time.monotonic()
        with self._lock:
            silent = {
                request_id
                for request_id, watch in self._watches.items()
                if now - watch.heard_at > self._settings.silence_s
            }
            due = silent | {key for key, watch in self._watches.items() if watch.wants_log}
            for request_id in due:
                self._watches[request_id].wants_log = False
        if not due:
            return
        views = self._bus.inspect(due)
        workers = self._bus.workers() if silent else []
        for request_id in due:
            view = views.get(request_id)
            if view is not None:
                self._hand_out(view.log)
            watch = self._watches.get(request_id)
            if watch is None:
                continue
            self._end_holes(watch, now)
            if request_id in silent and now > self._calm_until:
                action = decide(watch, view, workers, now, self._settings)
                self._act(action, request_id, watch, view, now)

    def _end_holes(self, watch: Watch, now: float) -> None:
        for reader in list(watch.readers):
            since = reader.holed_since
            if since is not None and now - since > self._settings.stream_lost_after_s:
                self._forget(watch, Forget(LOST_STREAM))

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
                self._forget(watch, action)
            case End() if view is not None:
                end = end_for(watch, view, request_id, action.failure)
                self._bus.close_request(request_id, attempt=view.attempt, event=end)
                self._hand_out([end])
            case Requeue() if view is not None:
                self._fail_over(request_id, watch, view)
                watch.published_at = now
            case Republish() if view is not None:
                watch.published_at = now
                post(self._publish, view.model, request_id, view.attempt)

    def _forget(self, watch: Watch, action: Forget) -> None:
        for reader in list(watch.readers):
            self._call_loop(reader, partial(reader.fail, action.failure))

    def _fail_over(self, request_id: str, watch: Watch, view: RequestView) -> None:
        """Let another worker go on where the dead one stopped."""
        tail = tail_for(watch, view, request_id)
        if not self._bus.requeue(request_id, attempt=view.attempt, tail=tail):
            return
        logger.warning("a worker is gone; another one continues its answer")
        self._hand_out([tail])
        # Should it live after all, it need not go on.
        self._bus.send_order(view.worker_id, Order("cancel", request_id))
        post(self._publish, view.model, request_id, tail.attempt)


def _take_all(batch: list[tuple[Subscription, Event]]) -> None:
    by_reader: dict[int, tuple[Subscription, list[Event]]] = {}
    for reader, event in batch:
        by_reader.setdefault(id(reader), (reader, []))[1].append(event)
    for reader, events in by_reader.values():
        reader.take(events)


_lock = threading.Lock()
_hubs: dict[Bus, Hub] = {}


def open_hub() -> Hub:
    """Return this process's hub."""
    bus = site_bus()
    with _lock:
        if bus not in _hubs:
            _hubs[bus] = Hub(bus, inference_settings(), publish_task)
        return _hubs[bus]


def known_hub() -> Hub | None:
    """Return this process's hub if it is open already; never waits."""
    return _hubs.get(site_bus())


def close_client() -> None:
    """Close hubs, stages and the bus, at the end of the process or of a test."""
    with _lock:
        hubs = list(_hubs.values())
        _hubs.clear()
    for hub in hubs:
        hub.shut()
    close_stages()
    try:
        close_site_bus()
    except InferenceError:
        logger.debug("the bus was gone already")
