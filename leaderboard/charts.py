"""Where things go in the charts: whiskers on a shared axis, shades of the win-rate map."""

import math
from dataclasses import dataclass

from leaderboard.rating.existence import Standing
from leaderboard.rating.scoreboard import Rating

# Drawing units of one row; whole numbers, so that no language writes them with a comma.
WIDTH = 260
MARGIN = 10
LABEL_ROOM = 42
TICK_STEPS = (5, 10, 20, 25, 50, 100, 200, 250, 500, 1000)
MOST_TICKS = 5
SHADES = 10


@dataclass(frozen=True, slots=True)
class Tick:
    """A labelled place on the axis."""

    points: int
    x: int


@dataclass(frozen=True, slots=True)
class Whisker:
    """One rating's interval and its label in drawing units; an open or cut end has an arrow."""

    start: int
    centre: int
    end: int
    label: int
    is_open_below: bool
    is_open_above: bool


@dataclass(frozen=True, slots=True)
class Axis:
    """The range of points a chart shows."""

    low: float
    high: float

    def place(self, points: float) -> int:
        """Return the drawing position of `points`, kept inside the chart."""
        share = (points - self.low) / (self.high - self.low)
        return round(MARGIN + min(max(share, 0.0), 1.0) * (WIDTH - 2 * MARGIN))

    @property
    def ticks(self) -> list[Tick]:
        """Return at most a handful of round numbers on the axis."""
        span = self.high - self.low
        step = next((step for step in TICK_STEPS if span / step <= MOST_TICKS), 2000)
        first = math.ceil(self.low / step) * step
        return [
            Tick(points, self.place(points))
            for points in range(first, math.floor(self.high) + 1, step)
        ]

    def whisker(self, rating: Rating) -> Whisker:
        """Return the whisker of a rating."""
        lower = -math.inf if rating.lower is None else rating.lower
        upper = math.inf if rating.upper is None else rating.upper
        centre = self.place(rating.rating)
        return Whisker(
            start=self.place(max(lower, self.low)),
            centre=centre,
            end=self.place(min(upper, self.high)),
            label=min(max(centre, LABEL_ROOM), WIDTH - LABEL_ROOM),
            is_open_below=lower < self.low,
            is_open_above=upper > self.high,
        )


def axis_for(ratings: list[Rating]) -> Axis:
    """Return an axis that holds every rating and the ends of ordinary intervals.

    A few votes give intervals of a thousand points, which would press all others together: only
    full ratings set the range if there are any, and the axis reaches no further beyond them than
    half their own range; what is longer is cut.
    """
    ratings = [rating for rating in ratings if rating.standing is Standing.RATED] or ratings
    points = [rating.rating for rating in ratings]
    room = max(60.0, (max(points) - min(points)) / 2)
    low, high = min(points) - room, max(points) + room
    lowers = [rating.lower if rating.lower is not None else low for rating in ratings]
    uppers = [rating.upper if rating.upper is not None else high for rating in ratings]
    return Axis(low=max(low, min(lowers) - 10), high=min(high, max(uppers) + 10))


def shade(share: float) -> int:
    """Return the shade of a share in [0, 1], from 0 (lost) over 5 (even) to 10 (won)."""
    return round(min(max(share, 0.0), 1.0) * SHADES)
