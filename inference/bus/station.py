"""A place where requests are answered: it beats, hears orders and sends answers out."""

import logging
import threading
from collections import deque
from collections.abc import Callable

from inference.bus.base import Bus
from inference.bus.events import Claim, Heartbeat, Order
from inference.bus.outbox import Outbox
from inference.exceptions import BusUnavailableError

logger = logging.getLogger(__name__)


class Station:
    """The bus side of a worker.

    Args:
        bus: the bus.
        worker_id: fresh for every start.
        vitals: returns the heartbeat to send, or None when there is nothing to say because what
            answers here stands still; called in the heartbeat thread.
        on_cancel: stops an answer; called in a thread of the bus.
        interval_s: time between heartbeats.
        chunk_tokens: tokens that share an entry of a log.
        pause_s: rest after a bus that did not answer.
    """

    def __init__(
        self,
        bus: Bus,
        *,
        worker_id: str,
        vitals: Callable[[], Heartbeat | None],
        on_cancel: Callable[[str], None],
        interval_s: float,
        chunk_tokens: int,
        pause_s: float,
    ) -> None:
        self.worker_id = worker_id
        self.outbox = Outbox(bus, worker_id=worker_id, chunk_tokens=chunk_tokens, pause_s=pause_s)
        self._bus = bus
        self._vitals = vitals
        self._on_cancel = on_cancel
        self._interval_s = interval_s
        self._last: Heartbeat | None = None
        # An order may come before the answer it is for has been set going.
        self._cancelled: deque[str] = deque(maxlen=1024)
        self._closing = threading.Event()
        self._hurry = threading.Event()
        self._heard = threading.Event()
        self._orders = bus.take_orders(worker_id, self._obey)
        self._heart = threading.Thread(target=self._beat, name="heartbeat", daemon=True)
        self._heart.start()

    def claim(self, request_id: str, attempt: int, *, patience_s: float) -> Claim | None:
        """Claim a request and take its answer under way; None if it is not ours to answer.

        A bus that does not answer is asked again for `patience_s`; after that the request stays
        queued, and whoever watches it publishes its task again.
        """
        tries = max(1, int(patience_s / self._interval_s))
        for _ in range(tries):
            try:
                claim = self._bus.claim(request_id, attempt=attempt, worker_id=self.worker_id)
            except BusUnavailableError:
                if self._closing.wait(self._interval_s):
                    return None
                continue
            return claim if claim is not None and self.outbox.open(claim) else None
        logger.warning("gave up claiming a request: the bus does not answer")
        return None

    def was_cancelled(self, request_id: str) -> bool:
        """Tell whether an order to cancel has come, perhaps too early to be obeyed."""
        return request_id in self._cancelled

    def wait_until_heard(self, timeout_s: float) -> bool:
        """Return True once the first heartbeat is on the bus, False after `timeout_s`."""
        return self._heard.wait(timeout_s)

    def beat_now(self) -> None:
        """Beat without waiting for the interval, after a change that others should know."""
        self._hurry.set()

    def _obey(self, order: Order) -> None:
        if order.action == "cancel":
            self._cancelled.append(order.request_id)
            self._on_cancel(order.request_id)
        else:
            self.outbox.attach(order.request_id, order.inbox)

    def _beat(self) -> None:
        is_heard = True
        while not self._closing.is_set():
            heartbeat = self._vitals()
            if heartbeat is not None:
                self._last = heartbeat
                is_heard = self._send(heartbeat, was_heard=is_heard)
            self._hurry.wait(self._interval_s if is_heard else self._interval_s / 3)
            self._hurry.clear()

    def _send(self, heartbeat: Heartbeat, *, was_heard: bool) -> bool:
        try:
            self._bus.beat(heartbeat)
        except BusUnavailableError as error:
            if was_heard:
                logger.warning("no heartbeat: %s", error)
            return False
        self._heard.set()
        if not was_heard:
            self.outbox.recheck()
        return True

    def close(self, *, timeout_s: float = 2.0) -> None:
        """Send what is left, stop beating and say goodbye."""
        self.outbox.close(timeout_s)
        self._closing.set()
        self._hurry.set()
        self._heart.join(timeout_s)
        self._orders.close()
        if self._last is not None:
            try:
                self._bus.retire(self._last)
            except BusUnavailableError:
                logger.debug("left without a goodbye")
