import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

from leaderboard.rating.battles import PairCounts, count_battles
from leaderboard.rating.bradley_terry import NoFiniteFitError, fit_bradley_terry
from leaderboard.rating.likelihood import PairLikelihood
from leaderboard.rating.scoreboard import POINTS_PER_LOG_ODDS
from tests.leaderboard.rating.samples import TEN_BATTLES, battles
from tests.leaderboard.rating.simulated import simulated_counts


def fit_row_by_row(counts: PairCounts) -> np.ndarray:
    """An independent fit: every vote its own row, ties two halves, a general optimiser."""
    rows = []
    for first, second, (wins, losses, ties, bad) in zip(
        counts.first, counts.second, counts.counts, strict=True
    ):
        rows += [(first, second, 1.0)] * int(wins) + [(first, second, 0.0)] * int(losses)
        rows += [(first, second, 0.5)] * int(ties + bad)
    first, second, score = (np.array(column) for column in zip(*rows, strict=True))

    def loss(strengths):
        gap = strengths[first.astype(int)] - strengths[second.astype(int)]
        return (np.logaddexp(0, gap) - score * gap).sum() + strengths.sum() ** 2

    best = minimize(loss, np.zeros(len(counts.models)), method="BFGS", options={"gtol": 1e-7})
    return best.x - best.x.mean()


def test_ten_battles_give_the_published_ratings():
    counts = count_battles(battles(TEN_BATTLES))

    ratings = 1000 + POINTS_PER_LOG_ODDS * fit_bradley_terry(counts)

    assert ratings == pytest.approx([1068.606, 971.126, 960.268], abs=1e-3)


@pytest.mark.parametrize("seed", range(3))
def test_the_fit_equals_an_independent_optimiser_on_single_votes(seed):
    counts = simulated_counts(strengths=np.linspace(-1, 1, 8), votes=400, seed=seed)

    assert fit_bradley_terry(counts) == pytest.approx(fit_row_by_row(counts), abs=1e-5)


@pytest.mark.parametrize(("size", "votes"), [(2, 10), (20, 1_000), (130, 200_000)])
def test_at_the_fit_every_model_scores_exactly_as_expected(size, votes):
    counts = simulated_counts(strengths=np.linspace(-2, 2, size), votes=votes, seed=1)

    strengths = fit_bradley_terry(counts)

    gradient = PairLikelihood.of(counts).gradient(strengths)
    assert np.abs(gradient).max() < 1e-9 * votes
    assert strengths.mean() == pytest.approx(0, abs=1e-12)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(1, 1_000_000), min_size=6, max_size=6))
def test_two_models_get_the_odds_they_played_however_lopsided(cells):
    counts = PairCounts(
        models=("A", "B"),
        first=np.array([0]),
        second=np.array([1]),
        counts=np.array([[cells[0], cells[1], cells[2], cells[3]]], dtype=float),
    )
    score, votes = counts.first_scores[0], counts.battles[0]

    stronger, weaker = fit_bradley_terry(counts)

    assert stronger - weaker == pytest.approx(np.log(score / (votes - score)), abs=1e-9)


def test_counting_every_vote_twice_leaves_the_fit_alone():
    counts = simulated_counts(strengths=np.linspace(-1, 1, 10), votes=900, seed=4)
    doubled = PairCounts(counts.models, counts.first, counts.second, counts.counts * 2)

    assert fit_bradley_terry(doubled) == pytest.approx(fit_bradley_terry(counts), abs=1e-10)


@pytest.mark.parametrize(
    "listed", ["A B a", "A B a, B C a, A C a", "A B tie, C D tie", "A B tie, B C a"]
)
def test_a_fit_that_would_be_infinite_is_refused(listed):
    with pytest.raises(NoFiniteFitError):
        fit_bradley_terry(count_battles(battles(listed)))
