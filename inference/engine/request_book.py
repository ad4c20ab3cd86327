"""The book of requests: who came in, who is answered, and who is no longer wanted."""

import threading
from collections.abc import Callable

from inference.engine.request import Request
from inference.exceptions import InvalidRequestError


class RequestBook:
    """The open requests of an engine, shared by the threads that ask and the one that steps."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._requests: dict[str, Request] = {}
        self._arrived: list[Request] = []
        self._cancelled: set[str] = set()

    @property
    def arrived_count(self) -> int:
        """Requests that the stepping thread has not seen yet."""
        return len(self._arrived)

    def add(self, request: Request, *, has_room: Callable[[], bool]) -> bool:
        """Take in a request; False, and no change, where there is no room for it.

        Raises:
            InvalidRequestError: its id is in use.
        """
        with self._changed:
            if request.request_id in self._requests:
                raise InvalidRequestError(
                    f"the request {request.request_id!r} is being answered already"
                )
            if not has_room():
                return False
            self._requests[request.request_id] = request
            self._arrived.append(request)
            self._changed.notify_all()
        return True

    def cancel(self, request_id: str) -> None:
        """Note that a request is no longer wanted; an unknown id is ignored."""
        with self._changed:
            if request_id in self._requests:
                self._cancelled.add(request_id)
                self._changed.notify_all()

    def has_work(self) -> bool:
        """Whether any request is open."""
        return bool(self._requests)

    def wait_for_work(self, timeout: float | None) -> bool:
        """Sleep until a request is open or the time is over; return `has_work`."""
        with self._changed:
            return self._changed.wait_for(self.has_work, timeout)

    def take_news(self) -> tuple[list[Request], list[Request]]:
        """Return who arrived since the last call, and who is to be cancelled."""
        if not self._arrived and not self._cancelled:
            return [], []
        with self._changed:
            arrived, self._arrived = self._arrived, []
            cancelled = [self._requests[request_id] for request_id in self._cancelled]
        return arrived, cancelled

    def close(self, request: Request) -> None:
        """Forget a request after its last output."""
        with self._changed:
            del self._requests[request.request_id]
            self._cancelled.discard(request.request_id)

    def __getitem__(self, request_id: str) -> Request:
        """Return an open request."""
        return self._requests[request_id]
