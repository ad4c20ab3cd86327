"""Histograms of durations, counted while the engine runs and read at any time."""

from bisect import bisect_left
from dataclasses import dataclass

BOUNDS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
"""Upper bounds of the buckets, in seconds; one more bucket takes what is longer."""


@dataclass(frozen=True, slots=True)
class Durations:
    """How long something took, over all times it happened.

    Attributes:
        counts: how often, by bucket of `BOUNDS_S`; the last is for what took longer.
        total_s: all durations together.
    """

    counts: tuple[int, ...]
    total_s: float

    @property
    def count(self) -> int:
        """How often it happened."""
        return sum(self.counts)

    @property
    def mean_s(self) -> float:
        """How long it took on average; 0 where it never happened."""
        return self.total_s / self.count if self.count else 0.0


class Histogram:
    """Counts durations; one thread adds, any thread reads."""

    def __init__(self) -> None:
        self._counts = [0] * (len(BOUNDS_S) + 1)
        self._total_s = 0.0

    def add(self, duration_s: float, *, times: int = 1) -> None:
        """Count a duration, or several equal ones."""
        self._counts[bisect_left(BOUNDS_S, duration_s)] += times
        self._total_s += duration_s * times

    def durations(self) -> Durations:
        """Return what was counted so far."""
        return Durations(tuple(self._counts), self._total_s)
