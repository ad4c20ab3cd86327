"""Ranks that admit doubt: the best and the worst place a model may hold."""

import numpy as np
from numpy.typing import NDArray

from leaderboard.rating.battles import Floats, Indices

Mask = NDArray[np.bool_]


def rank_intervals(lower: Floats, upper: Floats, *, is_newcomer: Mask) -> tuple[Indices, Indices]:
    """Return the best and the worst rank that the intervals allow, counted from 1, [M] each.

    A model is surely better than another when its whole interval lies above the other's. The best
    rank, known as Rank (UB), is 1 + the number of surely better models; the worst is the number
    of models less the surely worse ones. A newcomer's ranks are the places it could take if it
    alone joined the others, so that one vote for an unknown model blurs nobody else's rank.

    Args:
        lower: lower ends, [M]; -inf where the votes give none.
        upper: upper ends, [M]; +inf where the votes give none.
        is_newcomer: models that take part in no other model's rank, [M].

    Source:
        Chiang et al. 2024, "Chatbot Arena", section 4 (approximate rankings).
    """
    ranked = ~is_newcomer
    size = np.count_nonzero(ranked)
    surely_better = size - np.searchsorted(np.sort(lower[ranked]), upper, side="right")
    surely_worse = np.searchsorted(np.sort(upper[ranked]), lower, side="left")
    return 1 + surely_better, size + is_newcomer - surely_worse
