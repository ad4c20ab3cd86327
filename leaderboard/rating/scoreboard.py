"""The whole computation of a board: from pair counts to ratings, intervals and ranks."""

import math
from dataclasses import dataclass

import numpy as np

from leaderboard.rating.battles import Floats, PairCounts
from leaderboard.rating.bradley_terry import fit_bradley_terry
from leaderboard.rating.existence import Standing, core_of, standings_to
from leaderboard.rating.intervals import half_widths
from leaderboard.rating.provisional import place_beyond_core
from leaderboard.rating.ranking import rank_intervals

# 400 and 10 make the scale the one chess players know: +400 is ten times the odds.
POINTS_PER_LOG_ODDS = 400.0 / math.log(10.0)
MEAN_RATING = 1000.0


@dataclass(frozen=True, slots=True)
class Rating:
    """One model's line on a board.

    Attributes:
        model: its name.
        rating: points; the core of a board has the mean 1000.
        lower: lower end of the 95 % interval; None where the votes give none.
        upper: upper end; None where the votes give none.
        best_rank: the best place among the rated models that the intervals allow, counted
            from 1; known as Rank (UB).
        worst_rank: the worst place they allow.
        votes: battles that were counted.
        standing: whether the rating is a full one or bounded on one side or none.
    """

    model: str
    rating: float
    lower: float | None
    upper: float | None
    best_rank: int
    worst_rank: int
    votes: int
    standing: Standing


@dataclass(frozen=True, slots=True, eq=False)
class Scoreboard:
    """The ratings of all models with votes, best first, and what the charts need.

    Attributes:
        ratings: full ones before bounded ones, then by best rank, then by rating.
        strengths: natural log-odds in the same order, [M].
        counts: the battles behind it; its models stand in the same order.
    """

    ratings: tuple[Rating, ...]
    strengths: Floats
    counts: PairCounts

    @property
    def votes(self) -> int:
        """Battles on this board."""
        return round(float(self.counts.battles.sum()))

    @property
    def is_complete(self) -> bool:
        """Whether every rating is finite on both sides."""
        return all(rating.standing is Standing.RATED for rating in self.ratings)


def rate(counts: PairCounts) -> Scoreboard:
    """Rate every model of `counts`.

    The core is fitted exactly with sandwich intervals; models the votes do not bound get a
    cautious rating and an open interval. Nothing here is ever infinite or fails on real counts.
    """
    core = core_of(counts)
    standings = standings_to(core, counts)
    inside = counts.among(core)
    core_strengths = fit_bradley_terry(inside)
    placement = place_beyond_core(counts, standings=standings, core_strengths=core_strengths)
    lower, upper = placement.lower, placement.upper
    if len(core):
        widths = half_widths(inside, core_strengths)
        lower[core], upper[core] = core_strengths - widths, core_strengths + widths
    provisional = np.array([standing is not Standing.RATED for standing in standings], dtype=bool)
    best, worst = rank_intervals(lower, upper, is_newcomer=provisional & bool(len(core)))
    order = np.lexsort((np.array(counts.models), -placement.strengths, best, provisional))
    votes = counts.votes
    ratings = tuple(
        Rating(
            model=counts.models[index],
            rating=_points(placement.strengths[index]),
            lower=_end(lower[index]),
            upper=_end(upper[index]),
            best_rank=int(best[index]),
            worst_rank=int(worst[index]),
            votes=round(float(votes[index])),
            standing=standings[index],
        )
        for index in order
    )
    return Scoreboard(ratings, placement.strengths[order], counts.among(order))


def _points(strength: float) -> float:
    """Return a strength on the scale of the board."""
    return float(MEAN_RATING + POINTS_PER_LOG_ODDS * strength)


def _end(strength: float) -> float | None:
    """Return one end of an interval in points; an open end is None."""
    return _points(strength) if math.isfinite(strength) else None
