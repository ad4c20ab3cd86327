import numpy as np
import pytest

from leaderboard.rating.battles import count_battles
from leaderboard.rating.existence import Standing, core_of, islands, standings_to
from tests.leaderboard.rating.samples import battles


def standings(listed: str) -> dict[str, str]:
    counts = count_battles(battles(listed))
    found = standings_to(core_of(counts), counts)
    return dict(zip(counts.models, (standing.value for standing in found), strict=True))


def test_models_tied_together_by_wins_are_the_core():
    assert standings("A B a, B C a, C A a") == dict.fromkeys("ABC", "rated")


def test_an_unbeaten_model_stands_above_and_a_winless_one_below():
    found = standings("A B a, B A a, U A a, A W a")

    assert found == {"A": "rated", "B": "rated", "U": "above", "W": "below"}


def test_a_tie_with_the_core_joins_it():
    assert standings("A B a, B A a, C A tie")["C"] == "rated"


def test_chains_stand_on_the_side_they_lead_to():
    found = standings("A B tie, U A a, T U a, A W a, W V a")

    assert found["T"] == "above"
    assert found["V"] == "below"


def test_models_that_never_met_the_core_stand_apart():
    found = standings("A B tie, B C tie, X Y tie, X W a, A W a")

    assert found["W"] == "below"
    assert found["X"] == found["Y"] == "apart"


def test_without_two_models_tied_together_there_is_no_core():
    counts = count_battles(battles("A B a, B C a"))

    assert core_of(counts).tolist() == []
    assert standings_to(core_of(counts), counts) == [Standing.APART] * 3
    assert core_of(count_battles([])).tolist() == []


@pytest.mark.parametrize(
    ("listed", "core"),
    [
        ("A B tie, C D tie, D E tie", "CDE"),
        ("A B tie, C D tie, C D a", "CD"),
        ("A B tie, C D tie", "AB"),
    ],
)
def test_the_core_is_the_largest_then_the_most_voted_then_the_first_part(listed, core):
    counts = count_battles(battles(listed))

    assert "".join(counts.models[index] for index in core_of(counts)) == core


def test_newcomers_fall_into_islands_by_their_own_battles():
    counts = count_battles(battles("A B tie, U A a, T U a, W A b"))
    outside = np.array([counts.models.index(name) for name in "TUW"])

    found = [{counts.models[index] for index in part} for part in islands(counts, members=outside)]

    assert sorted(found, key=len) == [{"W"}, {"T", "U"}]
    assert islands(counts, members=outside[:0]) == []
