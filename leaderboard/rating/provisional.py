"""Models whose votes do not bound them: a cautious strength and the one bound the votes give.

A model that took points from the core and gave none back has an infinite best fit. Its strength
here is the best fit after one imagined tie with an average model of the core, and its interval
ends on one side only. The core itself is held at its fit, so newcomers never move the others.
"""

from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import brentq
from scipy.special import ndtri

from leaderboard.rating.battles import Floats, Indices, PairCounts
from leaderboard.rating.existence import Standing, islands
from leaderboard.rating.likelihood import PairLikelihood, maximise

# Beyond this many newcomers tied to each other, each bound holds the others at their strengths.
PROFILED_TOGETHER = 30


@dataclass(frozen=True, slots=True, eq=False)
class Placement:
    """Strengths of all M models in natural log-odds and the bounds of those outside the core.

    Attributes:
        strengths: [M].
        lower: [M]; -inf where the votes give no lower bound, NaN inside the core.
        upper: [M]; +inf where the votes give no upper bound, NaN inside the core.
    """

    strengths: Floats
    lower: Floats
    upper: Floats


def place_beyond_core(
    counts: PairCounts,
    *,
    standings: list[Standing],
    core_strengths: Floats,
    level: float = 0.975,
) -> Placement:
    """Place the models that stand above, below or apart from the core.

    Args:
        counts: of all M models.
        standings: how each model is tied to the core, [M].
        core_strengths: fit of the core, in the order of its models.
        level: how often a one-sided bound holds, in (0.5, 1); 0.975 matches one end of a
            95 % interval.

    Source:
        One-sided profile-likelihood bounds: Venzon and Moolgavkar 1988, "A Method for Computing
        Profile-Likelihood-Based Confidence Intervals".
    """
    rated = np.array([standing is Standing.RATED for standing in standings], dtype=bool)
    outside = np.flatnonzero(~rated)
    start = np.zeros(len(rated))
    start[rated] = core_strengths
    likelihood = PairLikelihood.of(counts, ghost_ties=(~rated).astype(np.float64))
    strengths = maximise(likelihood, start=start, free=outside)
    lower = np.where(rated, np.nan, -np.inf)
    upper = np.where(rated, np.nan, np.inf)
    mirrored = replace(likelihood, scores=likelihood.battles - likelihood.scores)
    for island in islands(counts, members=outside):
        for model in island:
            if standings[model] is Standing.ABOVE:
                lower[model] = _lower_bound(likelihood, strengths, model, island, level)
            elif standings[model] is Standing.BELOW:
                upper[model] = -_lower_bound(mirrored, -strengths, model, island, level)
    return Placement(strengths, lower, upper)


def _lower_bound(
    likelihood: PairLikelihood, strengths: Floats, model: int, island: Indices, level: float
) -> float:
    """Return the strength below which `model` is unlikely, its neighbours refitted each time."""
    nearby = np.isin(likelihood.first, island) | np.isin(likelihood.second, island)
    ghosts = likelihood.ghost_ties.copy()
    ghosts[model] = 0  # the bound is the votes' alone
    local = replace(
        likelihood,
        first=likelihood.first[nearby],
        second=likelihood.second[nearby],
        battles=likelihood.battles[nearby],
        scores=likelihood.scores[nearby],
        ghost_ties=ghosts,
    )
    neighbours = island[island != model]
    if len(neighbours) >= PROFILED_TOGETHER:
        neighbours = neighbours[:0]
    allowed_loss = ndtri(level) ** 2 / 2
    best = _highest_value(local, strengths, model, neighbours)

    def loss_beyond_allowed(strength: float) -> float:
        start = strengths.copy()
        start[model] = strength
        reached = local.value(maximise(local, start=start, free=neighbours))
        return float(best - allowed_loss - reached)

    high = low = float(strengths[model])
    while loss_beyond_allowed(high) >= 0:
        high += 1
    while loss_beyond_allowed(low) <= 0:
        low -= 1
    return float(brentq(loss_beyond_allowed, low, high, xtol=1e-6))


def _highest_value(
    likelihood: PairLikelihood, strengths: Floats, model: int, neighbours: Indices
) -> float:
    """Return the supremum of the likelihood over the strength of `model` and its neighbours."""
    as_first, as_second = likelihood.first == model, likelihood.second == model
    points_given = (likelihood.battles - likelihood.scores)[as_first].sum()
    points_given += likelihood.scores[as_second].sum()
    if points_given > 0:
        free = np.append(neighbours, model)
        return likelihood.value(maximise(likelihood, start=strengths, free=free))
    # It never gave a point, so at an infinite strength its own battles are certain.
    others = ~(as_first | as_second)
    without = replace(
        likelihood,
        first=likelihood.first[others],
        second=likelihood.second[others],
        battles=likelihood.battles[others],
        scores=likelihood.scores[others],
    )
    return without.value(maximise(without, start=strengths, free=neighbours))
