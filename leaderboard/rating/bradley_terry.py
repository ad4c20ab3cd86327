"""The Bradley-Terry model: strengths that explain best who beat whom."""

import numpy as np

from leaderboard.rating.battles import Floats, PairCounts
from leaderboard.rating.existence import strong_components
from leaderboard.rating.likelihood import PairLikelihood, maximise


class NoFiniteFitError(ValueError):
    """The battles do not tie all models together, so some strength would be infinite."""


def fit_bradley_terry(counts: PairCounts) -> Floats:
    """Return the exact maximum-likelihood strengths in natural log-odds, mean 0, [M].

    P(i beats j) = 1 / (1 + exp(strength_j - strength_i)); a tie of either kind counts as half a
    win for both. Newton's method on the pair counts, exact to about 1e-12.

    Raises:
        NoFiniteFitError: some group of models never lost to, or never met, the rest.

    Source:
        Bradley and Terry 1952, "Rank Analysis of Incomplete Block Designs", Biometrika 39;
        Hunter 2004, "MM Algorithms for Generalized Bradley-Terry Models", section 2 (existence).
    """
    size = len(counts.models)
    if size and strong_components(counts).max() > 0:
        raise NoFiniteFitError("no finite fit: a group of models never lost to the others")
    strengths = maximise(PairLikelihood.of(counts), start=np.zeros(size), free=np.arange(size))
    centred: Floats = strengths - strengths.mean() if size else strengths
    return centred
