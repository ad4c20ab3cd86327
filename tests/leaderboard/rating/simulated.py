"""Simulated votes with known strengths."""

import numpy as np
from scipy.special import expit

from leaderboard.rating.battles import Floats, PairCounts, count_outcomes


def simulated_counts(
    *, strengths: Floats, votes: int, seed: int, tie_share: float = 0.3
) -> PairCounts:
    """Draw votes on uniformly random pairs; ties come at the cost of both sides alike."""
    random = np.random.default_rng(seed)
    size = len(strengths)
    side_a = random.integers(0, size, votes)
    side_b = (side_a + random.integers(1, size, votes)) % size
    wins = random.random(votes) < expit(strengths[side_a] - strengths[side_b])
    ties = random.random(votes) < tie_share
    outcome = np.where(ties, 2 + (random.random(votes) < 0.5), np.where(wins, 0, 1))
    names = [f"model-{index:03d}" for index in range(size)]
    return count_outcomes(names, side_a, side_b, outcome.astype(np.intp))
