"""The process's one ear on the bus: hands events to their readers, wherever those run."""

import logging
import secrets
import threading
import time
from collections.abc import Callable, Iterable
from functools import partial

from inference.bus import Bus
from inference.bus.events import Event
from inference.client.subscription import Subscription
from inference.client.watch import Watch
from inference.client.watchdog import Publish, Watchdog
from inference.conf import InferenceSettings, inference_settings
from inference.exceptions import InferenceError
from inference.generation import Failure
from inference.providers.endpoints import forget_endpoints
from inference.providers.stage import close_stages
from inference.providers.transport import close_site_bus, site_bus
from inference.providers.worker import publish_task

logger = logging.getLogger(__name__)


class Hub:
    """Readers by request, one inbox, one watchdog.

    Args:
        bus: the bus.
        settings: the times.
        publish: puts the task of a model's request and attempt into the queue.
    """

    def __init__(self, bus: Bus, settings: InferenceSettings, publish: Publish) -> None:
        self.inbox = secrets.token_hex(8)
        self._lock = threading.Lock()
        self._watches: dict[str, Watch] = {}
        self._watchdog = Watchdog(bus, settings, publish, self)
        self._ear = bus.subscribe(self.inbox, on_frame=self._hear, on_gap=self._mind_gap)

    def open(self, request_id: str, from_seq: int) -> Subscription:
        """Return a new reader; to be called on its event loop."""
        reader = Subscription(request_id, from_seq, self._want_log)
        now = time.monotonic()
        with self._lock:
            watch = self._watches.setdefault(request_id, Watch(heard_at=now, published_at=now))
            watch.readers.append(reader)
        self._watchdog.stir()
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
        self._ear.close()
        self._watchdog.close()

    def watches(self) -> dict[str, Watch]:
        """Return the answers that are read in this process."""
        with self._lock:
            return dict(self._watches)

    def hand_out(self, events: Iterable[Event]) -> None:
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

    def fail(self, watch: Watch, failure: Failure) -> None:
        """End an answer for its readers here."""
        for reader in list(watch.readers):
            self._call_loop(reader, partial(reader.fail, failure))

    def _call_loop(self, reader: Subscription, call: Callable[[], None]) -> None:
        try:
            reader.loop.call_soon_threadsafe(call)
        except RuntimeError:  # its loop is closed: nobody reads any more
            self.close(reader)

    def _hear(self, events: list[Event]) -> None:
        """Take a frame; runs in a thread of the bus."""
        now = time.monotonic()
        with self._lock:
            for event in events:
                watch = self._watches.get(event.request_id)
                if watch is not None:
                    watch.heard_at = now
                    watch.recent.append(event)
        self.hand_out(events)

    def _want_log(self, request_id: str) -> None:
        """Have the log read, for a reader that lacks tokens."""
        with self._lock:
            watch = self._watches.get(request_id)
            if watch is None or watch.wants_log:
                return
            watch.wants_log = True
        self._watchdog.stir()

    def _mind_gap(self) -> None:
        """Have every log read: frames may have been missed."""
        self._watchdog.calm()
        with self._lock:
            for watch in self._watches.values():
                watch.wants_log = True
        self._watchdog.stir()


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
    forget_endpoints()
    try:
        close_site_bus()
    except InferenceError:
        logger.debug("the bus was gone already")
