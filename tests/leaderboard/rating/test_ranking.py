import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from leaderboard.rating.ranking import rank_intervals


def nobody(ends: np.ndarray) -> np.ndarray:
    return np.zeros(len(ends), dtype=bool)


def test_models_apart_get_single_ranks_and_overlapping_ones_share_them():
    lower = np.array([110.0, 95.0, 90.0, 50.0])
    upper = np.array([120.0, 105.0, 100.0, 60.0])

    best, worst = rank_intervals(lower, upper, is_newcomer=nobody(lower))

    assert best.tolist() == [1, 2, 2, 4]
    assert worst.tolist() == [1, 3, 3, 4]


def test_intervals_that_only_touch_do_not_decide():
    lower, upper = np.array([100.0, 90.0]), np.array([110.0, 100.0])

    best, worst = rank_intervals(lower, upper, is_newcomer=nobody(lower))

    assert best.tolist() == [1, 1]
    assert worst.tolist() == [2, 2]


def test_an_open_end_leaves_the_rank_open_on_its_side():
    lower, upper = np.array([50.0, 0.0, -np.inf]), np.array([np.inf, 10.0, np.inf])

    best, worst = rank_intervals(lower, upper, is_newcomer=nobody(lower))

    assert best.tolist() == [1, 2, 1]
    assert worst.tolist() == [2, 3, 3]


def test_a_newcomer_is_placed_among_the_others_without_moving_them():
    lower, upper = np.array([110.0, 90.0, -np.inf]), np.array([120.0, 100.0, 105.0])

    best, worst = rank_intervals(lower, upper, is_newcomer=np.array([False, False, True]))

    assert best.tolist() == [1, 2, 2]
    assert worst.tolist() == [1, 2, 3]


def test_nobody_has_no_rank():
    best, worst = rank_intervals(np.empty(0), np.empty(0), is_newcomer=nobody(np.empty(0)))

    assert best.tolist() == worst.tolist() == []


@given(st.lists(st.tuples(st.integers(-9, 9), st.integers(0, 5)), min_size=1, max_size=12))
def test_ranks_equal_the_definition_pair_by_pair(spans):
    lower = np.array([start for start, _ in spans], dtype=float)
    upper = np.array([start + length for start, length in spans], dtype=float)

    best, worst = rank_intervals(lower, upper, is_newcomer=nobody(lower))

    for index in range(len(spans)):
        assert best[index] == 1 + sum(lower > upper[index])
        assert worst[index] == len(spans) - sum(upper < lower[index])
        assert 1 <= best[index] <= worst[index] <= len(spans)
