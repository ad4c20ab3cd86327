import pytest

from leaderboard.rating.elo import expected_score, fit_elo
from tests.leaderboard.rating.samples import TEN_BATTLES, battles


def test_ten_battles_give_the_published_ratings():
    ratings = fit_elo(battles(TEN_BATTLES))

    assert ratings == pytest.approx({"A": 1003.8991, "B": 998.0105, "C": 998.0904}, abs=5e-5)


def test_points_are_only_passed_on():
    ratings = fit_elo(battles(TEN_BATTLES), k=32, initial=1500)

    assert sum(ratings.values()) == pytest.approx(4500)


def test_four_hundred_points_are_ten_times_the_odds():
    expected = expected_score(1400, 1000)

    assert expected / (1 - expected) == pytest.approx(10)


def test_the_order_of_battles_matters():
    listed = battles("A B a, B C a, C A a")

    assert fit_elo(listed) != fit_elo(reversed(listed))
