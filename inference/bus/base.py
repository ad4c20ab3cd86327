"""What a bus does; the implementations pass one contract test.

Every method may be called from any thread and returns quickly: a bus that cannot answer raises
`BusUnavailableError` instead of waiting. Callbacks run in threads of the bus.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from inference.bus.events import Claim, Event, Heartbeat, Order, RequestState, RequestView
from inference.exceptions import RequestExpiredError
from inference.generation import FinishReason
from inference.requests import AnyRequest


@dataclass(frozen=True, slots=True)
class BusConfig:
    """The times of a bus, in seconds; see `InferenceSettings` for what they mean."""

    redis_url: str = ""
    heartbeat_ttl_s: float = 3.0
    log_ttl_s: int = 900
    finished_log_ttl_s: int = 120
    timeout_s: float = 1.0
    pause_s: float = 0.25


class BusHandle(ABC):
    """Something that listens until it is closed."""

    @abstractmethod
    def close(self) -> None:
        """Stop listening; calling it again is harmless."""


class Bus(ABC):
    """Requests, their answers, and the workers that live.

    Attributes:
        blocks: whether calls wait for another process and so belong in a thread.
    """

    blocks = True

    # Requests

    @abstractmethod
    def submit(self, request: AnyRequest, *, inbox: str, capacity: int, retry_after_s: int) -> None:
        """Let a request in and remember it as queued; a second call changes nothing.

        Args:
            request: what is wanted.
            inbox: web process that listens first.
            capacity: requests of this model that may be unfinished at the same time.
            retry_after_s: what a refused caller is told.

        Raises:
            QueueFullError: `capacity` requests of this model are unfinished.
        """

    @abstractmethod
    def claim(self, request_id: str, *, attempt: int, worker_id: str) -> Claim | None:
        """Give a queued request to one worker; None if this attempt is not to be had any more.

        The worker that has it may ask again, in case the first answer got lost on the way.
        """

    @abstractmethod
    def close_request(self, request_id: str, *, attempt: int, event: Event) -> bool:
        """End a request from outside, at the end of its log and in all inboxes.

        Returns:
            False where this attempt does not count any more or the request has ended.
        """

    @abstractmethod
    def requeue(self, request_id: str, *, attempt: int, tail: Event) -> bool:
        """Make a running request queued again as attempt `attempt + 1`.

        Args:
            request_id: the request.
            attempt: the attempt whose worker is dead.
            tail: tokens that were seen and are missing in the log, possibly none. It carries the
                new attempt, and goes to the log and all inboxes: this fences the old worker off.

        Returns:
            False where somebody else was faster.
        """

    @abstractmethod
    def inspect(self, request_ids: Collection[str]) -> dict[str, RequestView]:
        """Return what is known about these requests; unknown ones are left out."""

    @abstractmethod
    def add_inbox(self, request_id: str, inbox: str) -> RequestView | None:
        """Let one more web process listen, now and after a change of worker."""

    # Answers

    @abstractmethod
    def publish(
        self, frames: Mapping[str, Sequence[Event]], logs: Mapping[str, Sequence[Event]]
    ) -> set[str]:
        """Send what an engine step brought: a frame for each inbox, entries for each log.

        A log entry that ends its answer ends the request too, if its attempt still counts. No
        entries for a log only ask whether its request is still known.

        Returns:
            The requests of `logs` that the bus does not know (any more).
        """

    @abstractmethod
    def restore(self, claim: Claim, *, worker_id: str, log: Sequence[Event]) -> None:
        """Write down a request again whose traces were lost with the bus's memory."""

    @abstractmethod
    def subscribe(
        self,
        inbox: str,
        *,
        on_frame: Callable[[list[Event]], None],
        on_gap: Callable[[], None],
    ) -> BusHandle:
        """Listen to an inbox; `on_gap` says that frames may have been missed."""

    # Workers

    @abstractmethod
    def beat(self, heartbeat: Heartbeat) -> None:
        """Let everybody know that a worker lives, until its time to live is over."""

    @abstractmethod
    def retire(self, heartbeat: Heartbeat) -> None:
        """Forget a worker at once."""

    @abstractmethod
    def workers(self) -> list[Heartbeat]:
        """Return the workers that live, the draining ones included."""

    @abstractmethod
    def send_order(self, worker_id: str, order: Order) -> None:
        """Tell a worker something; nobody may hear it."""

    @abstractmethod
    def take_orders(self, worker_id: str, on_order: Callable[[Order], None]) -> BusHandle:
        """Listen to the orders for a worker."""

    # The bus itself

    @abstractmethod
    def check(self) -> None:
        """Return if the bus answers.

        Raises:
            BusUnavailableError: it does not.
        """

    @abstractmethod
    def close(self) -> None:
        """Let go of all connections."""

    # What the parts above make together

    def live_models(self) -> frozenset[str]:
        """Return the names that at least one worker takes requests for."""
        beats = self.workers()
        return frozenset(name for beat in beats if not beat.is_draining for name in beat.models)

    def workers_of(self, model: str) -> list[Heartbeat]:
        """Return the workers that take requests for this model."""
        return [beat for beat in self.workers() if model in beat.models and not beat.is_draining]

    def attach(self, request_id: str, inbox: str) -> RequestView:
        """Listen to an answer that is under way; the log has what went before.

        The worker greets the inbox with an event that says how far it is.

        Raises:
            RequestExpiredError: nothing is known about the request.
        """
        view = self.add_inbox(request_id, inbox)
        if view is None:
            raise RequestExpiredError(request_id)
        if view.state is RequestState.RUNNING:
            self.send_order(view.worker_id, Order("attach", request_id, inbox))
        return view

    def cancel(self, request_id: str) -> None:
        """Stop a request: a queued one ends here, a running one by its worker's next step."""
        view = self.inspect([request_id]).get(request_id)
        if view is None or view.state is RequestState.ENDED:
            return
        if view.state is RequestState.QUEUED:
            end = Event(
                request_id, view.attempt, view.logged_end, finish_reason=FinishReason.CANCELLED
            )
            if self.close_request(request_id, attempt=view.attempt, event=end):
                return
            view = self.inspect([request_id]).get(request_id, view)  # claimed just now
        if view.state is RequestState.RUNNING:
            self.send_order(view.worker_id, Order("cancel", request_id))
