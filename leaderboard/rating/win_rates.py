"""Who wins how often: as the strengths predict it and as the votes show it."""

import numpy as np
from scipy.special import expit

from leaderboard.rating.battles import Floats, PairCounts


def predicted_win_rates(strengths: Floats) -> Floats:
    """Return P(row beats column) from natural log-odds, [M, M]; the diagonal is 1/2."""
    rates: Floats = expit(strengths[:, np.newaxis] - strengths[np.newaxis, :])
    return rates


def average_win_rates(strengths: Floats) -> Floats:
    """Return each model's predicted win rate against one of the others at random, [M].

    A lone model has nobody to beat and gets NaN.
    """
    size = len(strengths)
    if size < 2:
        return np.full(size, np.nan)
    averages: Floats = (predicted_win_rates(strengths).sum(axis=1) - 0.5) / (size - 1)
    return averages


def battle_matrix(counts: PairCounts) -> Floats:
    """Return how often row and column met, symmetric, [M, M]."""
    size = len(counts.models)
    matrix = np.zeros((size, size))
    matrix[counts.first, counts.second] = counts.battles
    return matrix + matrix.T


def observed_win_rates(counts: PairCounts) -> Floats:
    """Return the share of points row took from column, a tie being half, [M, M].

    Pairs that never met, and the diagonal, are NaN.
    """
    size = len(counts.models)
    rates = np.full((size, size), np.nan)
    share = counts.first_scores / counts.battles
    rates[counts.first, counts.second] = share
    rates[counts.second, counts.first] = 1 - share
    return rates
