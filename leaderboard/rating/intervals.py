"""Intervals of fitted strengths that stay honest when ties make the model only roughly true."""

import numpy as np
from scipy.linalg import inv
from scipy.special import expit, ndtri

from leaderboard.rating.battles import Floats, PairCounts
from leaderboard.rating.likelihood import PairLikelihood, laplacian

# What each outcome is worth to the first model of the pair, in the order of `OUTCOMES`.
SCORES = np.array([1.0, 0.0, 0.5, 0.5])
# Votes that the model-based variance counts for; beyond some hundred votes it no longer shows.
LEANING_VOTES = 10.0


def sandwich_covariance(counts: PairCounts, strengths: Floats) -> Floats:
    """Return the robust covariance of fitted strengths, [M, M].

    V = H+ B H+ with the information H and the outer product B of the votes' scores. The gauge is
    mean zero: rows and columns sum to 0 and every model has an interval; an anchored gauge would
    give the anchor none and all others wider ones.

    Args:
        counts: battles with a finite fit.
        strengths: that fit, natural log-odds, [M].

    Source:
        Chiang et al. 2024, "Chatbot Arena: An Open Platform for Evaluating LLMs by Human
        Preference", section 4 and appendix A; White 1982, "Maximum Likelihood Estimation of
        Misspecified Models".
    """
    bread = model_covariance(counts, strengths)
    chance = expit(strengths[counts.first] - strengths[counts.second])
    squared_surprise = (counts.counts * (SCORES - chance[:, np.newaxis]) ** 2) @ np.ones(
        len(SCORES)
    )
    meat = laplacian(counts.first, counts.second, squared_surprise, len(counts.models))
    covariance: Floats = bread @ meat @ bread
    return covariance


def model_covariance(counts: PairCounts, strengths: Floats) -> Floats:
    """Return the covariance if the model were exactly true: the inverse information, [M, M].

    Ties vary less than the model assumes, so with many of them it is too large.
    """
    information = PairLikelihood.of(counts).information(strengths)
    # The information is a connected graph's Laplacian: its null space is the all-ones direction,
    # which is filled before inverting and taken out again.
    size = len(information)
    shift = information.diagonal().mean() / size
    covariance: Floats = inv(information + shift) - 1.0 / (shift * size**2)
    return covariance


def half_widths(counts: PairCounts, strengths: Floats, *, level: float = 0.95) -> Floats:
    """Return half the width of each model's two-sided interval, [M].

    The sandwich variance of a model with few votes is leant on the model-based one: a lone tie
    with an equal opponent surprises nobody and would otherwise give an interval of no width.

    Args:
        counts: battles with a finite fit.
        strengths: that fit, natural log-odds, [M].
        level: how often a single interval covers the truth, in (0, 1).
    """
    robust = sandwich_covariance(counts, strengths).diagonal()
    assumed = model_covariance(counts, strengths).diagonal()
    trust = counts.votes / (counts.votes + LEANING_VOTES)
    widths: Floats = ndtri(0.5 + level / 2) * np.sqrt(trust * robust + (1 - trust) * assumed)
    return widths
