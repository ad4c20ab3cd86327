import csv
import gzip
from pathlib import Path

import numpy as np
import pytest

from leaderboard.rating.battles import Battle, Winner, count_battles
from leaderboard.rating.existence import Standing
from leaderboard.rating.scoreboard import rate
from tests.leaderboard.rating.samples import battles
from tests.leaderboard.rating.simulated import simulated_counts

WINNERS = {
    "model_a": Winner.A,
    "model_b": Winner.B,
    "tie": Winner.TIE,
    "tie (bothbad)": Winner.BOTH_BAD,
    "A is better": Winner.A,
    "B is better": Winner.B,
    "Tie": Winner.TIE,
    "Both are bad": Winner.BOTH_BAD,
}


def read_votes(path: Path, side_a: str, side_b: str, winner: str) -> list[Battle]:
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        rows = [(row[side_a], row[side_b], row[winner]) for row in csv.DictReader(file)]
    return [Battle(a, b, WINNERS[result]) for a, b, result in rows if a != b and result in WINNERS]


def test_the_board_is_sorted_by_best_rank_then_rating():
    scoreboard = rate(simulated_counts(strengths=np.linspace(-1, 1, 15), votes=2_000, seed=2))

    assert scoreboard.ratings[0].best_rank == 1
    keys = [(line.best_rank, -line.rating) for line in scoreboard.ratings]
    assert keys == sorted(keys)
    assert scoreboard.counts.models == tuple(line.model for line in scoreboard.ratings)
    assert scoreboard.votes == 2_000
    assert scoreboard.is_complete


def test_a_rating_lies_inside_its_interval_and_ranks_are_consistent():
    scoreboard = rate(simulated_counts(strengths=np.linspace(-1, 1, 15), votes=900, seed=9))

    for line in scoreboard.ratings:
        assert line.lower < line.rating < line.upper
        assert 1 <= line.best_rank <= line.worst_rank <= 15
    assert np.mean([line.rating for line in scoreboard.ratings]) == pytest.approx(1000)


def test_the_order_of_battles_does_not_matter():
    listed = battles("A B a, B C a, A C a, C A a, B A tie, C B both_bad")

    assert rate(count_battles(listed)).ratings == rate(count_battles(listed[::-1])).ratings


def test_an_empty_board_has_no_ratings():
    scoreboard = rate(count_battles([]))

    assert scoreboard.ratings == ()
    assert scoreboard.votes == 0


def test_the_published_human_votes_give_the_published_order(reference_data):
    listed = read_votes(
        reference_data / "arena" / "arena33k_human_votes.csv.gz", "model_a", "model_b", "winner"
    )

    scoreboard = rate(count_battles(listed))

    assert scoreboard.votes == 25_938
    assert [line.model for line in scoreboard.ratings[:4]] == [
        "gpt-4",
        "claude-v1",
        "claude-instant-v1",
        "gpt-3.5-turbo",
    ]
    # The first and second are known to be 50 points apart, with a z value above 6.
    first, second = scoreboard.ratings[:2]
    assert first.rating - second.rating == pytest.approx(50, abs=1)
    assert (first.best_rank, first.worst_rank) == (1, 1)
    assert scoreboard.is_complete


def test_votes_with_an_unbeaten_and_a_winless_tool_are_rated_with_bounds(reference_data):
    listed = read_votes(
        reference_data / "arena" / "agent_arena_tool_votes.csv.gz",
        "leftSubcomponent",
        "rightSubcomponent",
        "rating",
    )

    scoreboard = rate(count_battles(listed))

    standing = {line.model: line.standing for line in scoreboard.ratings}
    assert len(standing) == 37
    assert sorted(value for value in standing.values() if value is not Standing.RATED) == [
        Standing.ABOVE,
        Standing.BELOW,
    ]
