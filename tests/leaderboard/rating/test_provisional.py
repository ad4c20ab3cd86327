from itertools import pairwise

import numpy as np
import pytest
from scipy.special import expit, logit, ndtri

from leaderboard.rating.battles import count_battles
from leaderboard.rating.existence import Standing
from leaderboard.rating.scoreboard import MEAN_RATING, POINTS_PER_LOG_ODDS, rate
from tests.leaderboard.rating.samples import battles
from tests.leaderboard.rating.simulated import simulated_counts

CORE = "A B a, B A a"


def lines(listed: str):
    return {line.model: line for line in rate(count_battles(battles(listed))).ratings}


@pytest.mark.parametrize("wins", [1, 5, 200])
def test_an_unbeaten_newcomer_gets_the_textbook_lower_bound_and_no_upper_one(wins):
    newcomer = lines(CORE + ", U A a" * wins)["U"]

    # All wins against strength 0: wins * log(p) may fall by half the squared normal quantile.
    bound = logit(np.exp(-(ndtri(0.975) ** 2) / 2 / wins))
    assert newcomer.standing is Standing.ABOVE
    assert newcomer.lower == pytest.approx(MEAN_RATING + POINTS_PER_LOG_ODDS * bound, abs=1e-2)
    assert newcomer.upper is None
    assert newcomer.rating > newcomer.lower


def test_above_and_below_are_mirror_images():
    found = lines(CORE + ", U A a, A W a, T U a, W V a")

    for high, low in (("U", "W"), ("T", "V")):
        assert found[high].rating - 1000 == pytest.approx(1000 - found[low].rating, abs=1e-6)
        assert found[high].lower - 1000 == pytest.approx(1000 - found[low].upper, abs=1e-2)


def test_the_cautious_rating_counts_one_tie_with_an_average_model():
    newcomer = lines(CORE + ", U A a, U A a, U B a")["U"]

    strength = (newcomer.rating - MEAN_RATING) / POINTS_PER_LOG_ODDS
    assert 4 * expit(strength) == pytest.approx(3.5)  # 4 battles with the imagined tie: 3.5 points


def test_more_wins_raise_rating_and_bound():
    few, many = lines(CORE + ", U A a" * 2)["U"], lines(CORE + ", U A a" * 20)["U"]

    assert many.rating > few.rating
    assert many.lower > few.lower


def test_a_newcomer_moves_nobody_in_the_core():
    before, after = lines(CORE), lines(CORE + ", U A a, U B a, X Y tie")

    assert after["A"].rating == before["A"].rating
    assert after["A"].lower == before["A"].lower
    assert after["A"].worst_rank == before["A"].worst_rank == 2


def test_two_unbeaten_newcomers_tied_together_both_get_bounds():
    found = lines("A B tie, B C tie, A C a, U A a, T B a, U T tie")

    assert found["U"].standing is found["T"].standing is Standing.ABOVE
    assert found["U"].lower is not None
    assert found["U"].lower < found["U"].rating


def test_models_apart_have_no_interval_and_any_rank():
    found = lines("A B tie, B C tie, X Y a")

    assert found["X"].lower is found["X"].upper is None
    assert (found["X"].best_rank, found["X"].worst_rank) == (1, 4)
    assert found["X"].rating > found["Y"].rating


def test_a_single_vote_gives_finite_ratings():
    found = lines("A B a")

    assert found["A"].rating > 1000 > found["B"].rating
    assert found["A"].standing is Standing.APART


def test_a_board_on_which_no_one_is_tied_together_is_rated_all_the_same():
    names = [f"m{index:02d}" for index in range(60)]
    chain = ", ".join(f"{better} {worse} a" for better, worse in pairwise(names))

    scoreboard = rate(count_battles(battles(chain)))

    assert len(scoreboard.ratings) == 60
    assert np.isfinite(scoreboard.strengths).all()


def test_many_newcomers_tied_to_each_other_are_bounded_too():
    names = [f"n{index:02d}" for index in range(40)]
    chain = ", ".join(f"{better} {worse} a" for better, worse in pairwise(names))

    found = lines(f"{CORE}, {chain}, {names[-1]} A a")

    assert all(found[name].standing is Standing.ABOVE for name in names)
    assert all(found[name].lower < found[name].rating for name in names)


def test_sparse_votes_of_any_shape_never_break_the_board():
    for seed in range(40):
        counts = simulated_counts(strengths=np.linspace(-4, 4, 15), votes=seed, seed=seed)

        scoreboard = rate(counts)

        assert all(np.isfinite(line.rating) for line in scoreboard.ratings)
        assert all(line.lower is None or line.lower < line.rating for line in scoreboard.ratings)
        assert all(line.upper is None or line.upper > line.rating for line in scoreboard.ratings)
