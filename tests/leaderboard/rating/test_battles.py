import numpy as np
import pytest

from leaderboard.rating.battles import count_battles, count_outcomes
from tests.leaderboard.rating.samples import battles


def test_battles_are_counted_by_unordered_pair_as_the_first_model_sees_them():
    counts = count_battles(battles("B A a, A B a, A B tie, B A both_bad, A C b"))

    assert counts.models == ("A", "B", "C")
    assert list(zip(counts.first, counts.second, strict=True)) == [(0, 1), (0, 2)]
    assert counts.counts.tolist() == [[1, 1, 1, 1], [0, 1, 0, 0]]
    assert counts.first_scores.tolist() == [2.0, 0.0]
    assert counts.votes.tolist() == [5, 4, 1]


def test_swapping_the_sides_of_every_battle_changes_nothing():
    listed = battles("A B a, B C b, C A tie, A C both_bad")
    turned = battles("B A b, C B a, A C tie, C A both_bad")

    assert count_battles(listed).counts.tolist() == count_battles(turned).counts.tolist()


def test_a_model_that_meets_itself_is_refused_by_name():
    with pytest.raises(ValueError, match="battle 1 has 'A' on both sides"):
        count_battles(battles("A B a, A A tie"))


def test_restricting_to_some_models_keeps_only_battles_among_them():
    counts = count_battles(battles("A B a, B C a, C A a"))

    inside = counts.among(np.array([2, 0]))

    assert inside.models == ("C", "A")
    assert inside.counts.sum() == 1
    assert inside.votes.tolist() == [1, 1]


def test_no_battles_make_empty_counts():
    counts = count_battles([])

    assert counts.models == ()
    assert counts.votes.tolist() == []
    assert count_outcomes(["A"], *[np.empty(0, dtype=np.intp)] * 3).votes.tolist() == [0]
