"""What the hub keeps about one answer, and what is to be done when it falls silent."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from inference.bus.events import Event, Heartbeat, RequestState, RequestView, valid_events
from inference.client.subscription import Subscription
from inference.conf import InferenceSettings
from inference.generation import Failure, FinishReason, TokenScore

MISSING_FOR_S = 4.0  # a request that the bus does not know for so long is lost, not just late
RECENT_EVENTS = 512

LOST_WORKER = Failure("worker_lost", "the worker that wrote this answer is gone")
NO_WORKER = Failure("no_worker", "no worker is left for this model")
LOST_STREAM = Failure("stream_lost", "the rest of this answer is lost")


@dataclass(slots=True, eq=False)
class Watch:
    """An answer somebody reads in this process; times are of the monotonic clock.

    Attributes:
        heard_at: when its last event came.
        published_at: when its task was last put into the queue, as far as is known here.
        wants_log: whether a reader lacks tokens.
        recent: its last live events, which may not be in the log yet.
        missing_since: since when the bus knows nothing of it.
        unserved_since: since when it is queued and no worker of its model lives.
    """

    heard_at: float
    published_at: float
    readers: list[Subscription] = field(default_factory=list)
    wants_log: bool = False
    recent: deque[Event] = field(default_factory=lambda: deque(maxlen=RECENT_EVENTS))
    missing_since: float | None = None
    unserved_since: float | None = None


@dataclass(frozen=True, slots=True)
class End:
    """Tell the bus and all readers that the answer broke."""

    failure: Failure


@dataclass(frozen=True, slots=True)
class Forget:
    """Tell the readers here that the answer cannot be found any more."""

    failure: Failure


@dataclass(frozen=True, slots=True)
class Requeue:
    """Give the answer to another worker, from the text that was sent."""


@dataclass(frozen=True, slots=True)
class Republish:
    """Put the task of this attempt into the queue again."""


Action = End | Forget | Requeue | Republish


def decide(
    watch: Watch,
    view: RequestView | None,
    workers: Sequence[Heartbeat],
    now: float,
    settings: InferenceSettings,
) -> Action | None:
    """Return what a silent answer needs, or None if waiting is all there is to do."""
    if view is None or (view.state is RequestState.ENDED and not _is_closed(view)):
        watch.missing_since = watch.missing_since or now
        return Forget(LOST_STREAM) if now - watch.missing_since > MISSING_FOR_S else None
    watch.missing_since = None
    if now - watch.heard_at > settings.log_ttl_s:
        return Forget(LOST_STREAM)
    able = [beat for beat in workers if view.model in beat.models and not beat.is_draining]
    if view.state is RequestState.QUEUED:
        return _decide_queued(watch, able, now, settings)
    if view.state is RequestState.RUNNING:
        if any(beat.worker_id == view.worker_id for beat in workers):
            return None
        return Requeue() if able and view.attempt + 1 < settings.attempts else End(LOST_WORKER)
    return None


def _decide_queued(
    watch: Watch, able: Sequence[Heartbeat], now: float, settings: InferenceSettings
) -> Action | None:
    if not able:
        watch.unserved_since = watch.unserved_since or now
        is_over = now - watch.unserved_since > settings.no_worker_after_s
        return End(NO_WORKER) if is_over else None
    watch.unserved_since = None
    # Its task went down with a worker that had taken it off the queue: free slots tell.
    has_room = any(beat.running + beat.waiting < beat.slots for beat in able)
    is_late = now - watch.published_at > settings.queue_patience_s
    return Republish() if has_room and is_late else None


def _is_closed(view: RequestView) -> bool:
    return any(event.is_last for event in view.log)


def tail_for(watch: Watch, view: RequestView, request_id: str) -> Event:
    """Return the tokens that were seen here and are not in the log, as the next attempt's first.

    Usually none or fewer than a chunk of the log: what the dead worker sent last.
    """
    end = view.logged_end
    pieces: list[str] = []
    scores: list[TokenScore] = []
    for event in valid_events(watch.recent):
        start = end + len(pieces)
        if event.attempt == view.attempt and event.seq <= start < event.end:
            news = event.since(start)
            pieces += news.pieces
            scores += news.scores
    return Event(request_id, view.attempt + 1, end, tuple(pieces), scores=tuple(scores))


def end_for(watch: Watch, view: RequestView, request_id: str, failure: Failure) -> Event:
    """Return the last event of an answer that broke, with the tokens the log lacks."""
    tail = tail_for(watch, view, request_id)
    return Event(
        request_id,
        view.attempt,
        tail.seq,
        tail.pieces,
        finish_reason=FinishReason.ERROR,
        failure=failure,
        scores=tail.scores,
    )
