"""A stopwatch: how long a part of a step took."""

import time
from types import TracebackType
from typing import Self


class Stopwatch:
    """Adds up the time spent inside `with`, until somebody takes it."""

    def __init__(self) -> None:
        self._started = 0.0
        self._seconds = 0.0

    def __enter__(self) -> Self:
        """Start."""
        self._started = time.perf_counter()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop."""
        self._seconds += time.perf_counter() - self._started

    def take(self) -> float:
        """Return the seconds since the last call, and begin at 0 again."""
        seconds, self._seconds = self._seconds, 0.0
        return seconds
