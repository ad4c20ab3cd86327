import numpy as np
import pytest

from leaderboard.rating.battles import count_battles
from leaderboard.rating.win_rates import (
    average_win_rates,
    battle_matrix,
    observed_win_rates,
    predicted_win_rates,
)
from tests.leaderboard.rating.samples import battles


def test_predicted_rates_of_a_pair_add_up_to_one():
    rates = predicted_win_rates(np.array([1.0, 0.0, -2.0]))

    assert rates + rates.T == pytest.approx(np.ones((3, 3)))
    assert rates[0, 1] == pytest.approx(np.e / (1 + np.e))


def test_the_average_leaves_out_the_model_itself():
    averages = average_win_rates(np.array([np.log(3), 0.0]))

    assert averages == pytest.approx([0.75, 0.25])
    assert np.isnan(average_win_rates(np.array([0.0]))).all()


def test_observed_rates_count_ties_as_halves_and_leave_unmet_pairs_empty():
    counts = count_battles(battles("A B a, A B tie, B C b"))

    rates = observed_win_rates(counts)

    assert rates[0, 1] == 0.75
    assert rates[1, 0] == 0.25
    assert np.isnan(rates[0, 2])
    assert np.isnan(rates[1, 1])


def test_the_battle_matrix_is_symmetric():
    matrix = battle_matrix(count_battles(battles("A B a, B A tie, B C b")))

    assert matrix.tolist() == [[0, 2, 0], [2, 0, 1], [0, 1, 0]]
