import numpy as np
import pytest
from scipy.special import expit

from leaderboard.rating.battles import count_battles
from leaderboard.rating.bradley_terry import fit_bradley_terry
from leaderboard.rating.intervals import half_widths, sandwich_covariance
from tests.leaderboard.rating.samples import battles
from tests.leaderboard.rating.simulated import simulated_counts


def test_the_covariance_equals_the_textbook_sandwich_over_single_votes():
    counts = simulated_counts(strengths=np.array([0.5, 0.0, -0.5, 0.2]), votes=200, seed=3)
    strengths = fit_bradley_terry(counts)
    bread, meat = np.zeros((4, 4)), np.zeros((4, 4))
    for first, second, outcomes in zip(counts.first, counts.second, counts.counts, strict=True):
        contrast = np.zeros(4)
        contrast[first], contrast[second] = 1, -1
        chance = expit(strengths[first] - strengths[second])
        for times, score in zip(outcomes, (1, 0, 0.5, 0.5), strict=True):
            bread += times * chance * (1 - chance) * np.outer(contrast, contrast)
            meat += times * (score - chance) ** 2 * np.outer(contrast, contrast)
    expected = np.linalg.pinv(bread) @ meat @ np.linalg.pinv(bread)

    assert sandwich_covariance(counts, strengths) == pytest.approx(expected, abs=1e-12)


def test_the_gauge_is_mean_zero_and_every_model_has_an_interval():
    counts = simulated_counts(strengths=np.linspace(-1, 1, 12), votes=3_000, seed=5)
    strengths = fit_bradley_terry(counts)

    assert np.abs(sandwich_covariance(counts, strengths).sum(axis=0)).max() < 1e-12
    assert half_widths(counts, strengths).min() > 0


def test_a_lone_tie_does_not_pass_for_certainty():
    counts = count_battles(battles("A B tie"))

    assert half_widths(counts, fit_bradley_terry(counts)).min() > 1


def test_ninety_five_percent_intervals_cover_the_truth_as_often_as_they_say():
    truth = np.linspace(-1.2, 1.2, 10)
    covered = []
    for seed in range(150):
        counts = simulated_counts(strengths=truth, votes=1_500, seed=seed, tie_share=0.0)
        strengths = fit_bradley_terry(counts)
        covered.append(np.abs(strengths - truth) <= half_widths(counts, strengths))

    # 1,500 intervals with correlated errors: three standard errors are below two percent.
    assert np.mean(covered) == pytest.approx(0.95, abs=0.02)
