"""Ranks that admit doubt: the best and the worst place a model may hold."""

import numpy as np

from leaderboard.rating.battles import Floats, Indices


def rank_intervals(lower: Floats, upper: Floats) -> tuple[Indices, Indices]:
    """Return the best and the worst rank that the intervals allow, counted from 1, [M] each.

    A model is surely better than another when its whole interval lies above the other's. The best
    rank, known as Rank (UB), is 1 + the number of surely better models; the worst is M - the
    number of surely worse ones.

    Args:
        lower: lower ends, [M]; -inf where the votes give none.
        upper: upper ends, [M]; +inf where the votes give none.

    Source:
        Chiang et al. 2024, "Chatbot Arena", section 4 (approximate rankings).
    """
    size = len(lower)
    surely_better = size - np.searchsorted(np.sort(lower), upper, side="right")
    surely_worse = np.searchsorted(np.sort(upper), lower, side="left")
    return (1 + surely_better).astype(np.intp), (size - surely_worse).astype(np.intp)
