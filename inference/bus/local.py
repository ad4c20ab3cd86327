"""The bus inside one process: a lock and dictionaries, for the embedded mode."""

import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

from inference.bus.base import Bus, BusConfig, BusHandle
from inference.bus.events import Claim, Event, Heartbeat, Order, RequestState, RequestView
from inference.exceptions import QueueFullError
from inference.requests import AnyRequest


@dataclass(slots=True)
class _Record:
    """What the bus remembers of one request."""

    request: AnyRequest
    expires_at: float
    inboxes: set[str]
    state: RequestState = RequestState.QUEUED
    attempt: int = 0
    worker_id: str = ""
    log: list[Event] = field(default_factory=list)

    def view(self) -> RequestView:
        return RequestView(
            self.request.model, self.state, self.attempt, self.worker_id, tuple(self.log)
        )


class _Handle(BusHandle):
    def __init__(self, forget: Callable[[], None]) -> None:
        self._forget = forget

    def close(self) -> None:
        self._forget()


class LocalBus(Bus):
    """Everything under one lock; callbacks run in the thread that publishes."""

    blocks = False

    def __init__(self, config: BusConfig) -> None:
        self._config = config
        self._lock = threading.RLock()
        self._records: dict[str, _Record] = {}
        self._beats: dict[str, tuple[Heartbeat, float]] = {}
        self._inboxes: dict[str, Callable[[list[Event]], None]] = {}
        self._orders: dict[str, Callable[[Order], None]] = {}

    def submit(self, request: AnyRequest, *, inbox: str, capacity: int, retry_after_s: int) -> None:
        """Let a request in; see `Bus.submit`."""
        with self._lock:
            self._forget_old()
            if request.request_id in self._records:
                return
            unfinished = sum(
                record.state is not RequestState.ENDED and record.request.model == request.model
                for record in self._records.values()
            )
            if unfinished >= capacity:
                raise QueueFullError(request.model, retry_after_s=retry_after_s)
            expires_at = time.monotonic() + self._config.log_ttl_s
            self._records[request.request_id] = _Record(request, expires_at, {inbox})

    def _forget_old(self) -> None:
        now = time.monotonic()
        old = [key for key, record in self._records.items() if record.expires_at < now]
        for key in old:
            del self._records[key]

    def claim(self, request_id: str, *, attempt: int, worker_id: str) -> Claim | None:
        """Give a queued request to one worker; see `Bus.claim`."""
        with self._lock:
            record = self._records.get(request_id)
            if record is None or record.attempt != attempt:
                return None
            is_ours = record.state is RequestState.RUNNING and record.worker_id == worker_id
            if record.state is not RequestState.QUEUED and not is_ours:
                return None
            record.state = RequestState.RUNNING
            record.worker_id = worker_id
            return Claim(record.request, attempt, frozenset(record.inboxes), tuple(record.log))

    def close_request(self, request_id: str, *, attempt: int, event: Event) -> bool:
        """End a request from outside; see `Bus.close_request`."""
        with self._lock:
            record = self._records.get(request_id)
            if record is None or record.state is RequestState.ENDED or record.attempt != attempt:
                return False
            record.log.append(event)
            self._end(record)
            inboxes = set(record.inboxes)
        self._deliver({inbox: [event] for inbox in inboxes})
        return True

    def _end(self, record: _Record) -> None:
        record.state = RequestState.ENDED
        record.expires_at = time.monotonic() + self._config.finished_log_ttl_s

    def requeue(self, request_id: str, *, attempt: int, tail: Event) -> bool:
        """Make a running request queued again; see `Bus.requeue`."""
        with self._lock:
            record = self._records.get(request_id)
            if (
                record is None
                or record.state is not RequestState.RUNNING
                or record.attempt != attempt
            ):
                return False
            record.log.append(tail)
            record.state = RequestState.QUEUED
            record.attempt = attempt + 1
            record.worker_id = ""
            inboxes = set(record.inboxes)
        self._deliver({inbox: [tail] for inbox in inboxes})
        return True

    def inspect(self, request_ids: Collection[str]) -> dict[str, RequestView]:
        """Return what is known about these requests."""
        with self._lock:
            known = {key: self._records.get(key) for key in request_ids}
            return {key: record.view() for key, record in known.items() if record is not None}

    def add_inbox(self, request_id: str, inbox: str) -> RequestView | None:
        """Let one more web process listen."""
        with self._lock:
            record = self._records.get(request_id)
            if record is None:
                return None
            record.inboxes.add(inbox)
            return record.view()

    def publish(
        self, frames: Mapping[str, Sequence[Event]], logs: Mapping[str, Sequence[Event]]
    ) -> set[str]:
        """Send what an engine step brought; see `Bus.publish`."""
        unknown = set()
        with self._lock:
            for request_id, events in logs.items():
                record = self._records.get(request_id)
                if record is None:
                    unknown.add(request_id)
                    continue
                record.log.extend(events)
                is_over = any(event.is_last for event in events)
                if is_over and record.attempt == events[-1].attempt:
                    self._end(record)
        self._deliver(frames)
        return unknown

    def _deliver(self, frames: Mapping[str, Sequence[Event]]) -> None:
        with self._lock:
            listeners = [(self._inboxes.get(inbox), events) for inbox, events in frames.items()]
        for on_frame, events in listeners:
            if on_frame is not None:
                on_frame(list(events))

    def restore(self, claim: Claim, *, worker_id: str, log: Sequence[Event]) -> None:
        """Write down a request again that was forgotten; see `Bus.restore`."""
        with self._lock:
            record = _Record(
                claim.request,
                time.monotonic() + self._config.log_ttl_s,
                set(claim.inboxes),
                RequestState.RUNNING,
                claim.attempt,
                worker_id,
                list(log),
            )
            self._records[claim.request.request_id] = record
            if any(event.is_last for event in log):
                self._end(record)

    def subscribe(
        self,
        inbox: str,
        *,
        on_frame: Callable[[list[Event]], None],
        on_gap: Callable[[], None],  # noqa: ARG002  (nothing is ever missed inside a process)
    ) -> BusHandle:
        """Listen to an inbox."""
        with self._lock:
            self._inboxes[inbox] = on_frame
        return _Handle(lambda: self._inboxes.pop(inbox, None) and None)

    def beat(self, heartbeat: Heartbeat) -> None:
        """Remember that a worker lives."""
        with self._lock:
            expires_at = time.monotonic() + self._config.heartbeat_ttl_s
            self._beats[heartbeat.worker_id] = (heartbeat, expires_at)

    def retire(self, heartbeat: Heartbeat) -> None:
        """Forget a worker at once."""
        with self._lock:
            self._beats.pop(heartbeat.worker_id, None)

    def workers(self) -> list[Heartbeat]:
        """Return the workers that live."""
        now = time.monotonic()
        with self._lock:
            self._beats = {key: beat for key, beat in self._beats.items() if beat[1] > now}
            return [replace(beat) for beat, _ in self._beats.values()]

    def send_order(self, worker_id: str, order: Order) -> None:
        """Tell a worker something."""
        with self._lock:
            on_order = self._orders.get(worker_id)
        if on_order is not None:
            on_order(order)

    def take_orders(self, worker_id: str, on_order: Callable[[Order], None]) -> BusHandle:
        """Listen to the orders for a worker."""
        with self._lock:
            self._orders[worker_id] = on_order
        return _Handle(lambda: self._orders.pop(worker_id, None) and None)

    def check(self) -> None:
        """Return: it is always there."""

    def close(self) -> None:
        """Forget everything."""
        with self._lock:
            self._records.clear()
            self._beats.clear()
            self._inboxes.clear()
            self._orders.clear()
