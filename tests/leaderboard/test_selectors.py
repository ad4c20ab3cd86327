import pytest

from leaderboard.categories import Board
from leaderboard.exceptions import UnknownBoardError
from leaderboard.selectors import board_as_data, board_named, parse_board
from tests.leaderboard.rating.samples import TEN_BATTLES
from tests.leaderboard.votes import cast_votes, model_named

pytestmark = pytest.mark.django_db


def test_the_board_shows_the_fit_of_its_counters():
    cast_votes(TEN_BATTLES)

    ratings = {
        line["model"]: line["rating"]
        for line in board_as_data(board_named(Board.OVERALL))["models"]
    }

    assert ratings == pytest.approx({"A": 1068.61, "B": 971.13, "C": 960.27}, abs=0.005)


def test_a_vote_is_visible_in_the_next_read():
    cast_votes("A B a, B A a")
    before = board_named(Board.OVERALL)

    cast_votes("A B a")

    after = board_named(Board.OVERALL)
    assert after.scoreboard.votes == before.scoreboard.votes + 1
    assert after.rows[0].rating.rating > before.rows[0].rating.rating


def test_boards_without_change_are_not_computed_again():
    cast_votes("A B a, B A a")

    assert board_named(Board.OVERALL).scoreboard is board_named(Board.OVERALL).scoreboard


def test_a_renamed_model_shows_its_new_name():
    cast_votes("A B a, B A a")
    board_named(Board.OVERALL)
    card = model_named("A")
    card.name = "Z"
    card.save()

    assert {row.rating.model for row in board_named(Board.OVERALL).rows} == {"B", "Z"}


def test_models_without_votes_are_absent():
    model_named("idle")
    cast_votes("A B tie")

    assert {row.card.name for row in board_named(Board.OVERALL).rows} == {"A", "B"}


def test_reading_a_board_takes_three_queries_and_two_when_it_is_known(django_assert_num_queries):
    cast_votes("A B a, B A a, A C tie")

    with django_assert_num_queries(3):
        board_named(Board.OVERALL)
    with django_assert_num_queries(2):
        board_named(Board.OVERALL)


def test_an_empty_board_has_no_rows_and_no_date():
    board = board_named(Board.CHINESE)

    assert board.rows == ()
    assert board.changed_at is None
    assert board_as_data(board) == {"board": "chinese", "models": []}


def test_open_ends_are_null_in_the_data():
    cast_votes("A B tie, U A a")

    newcomer = next(
        line for line in board_as_data(board_named(Board.OVERALL))["models"] if line["model"] == "U"
    )

    assert newcomer["upper"] is None
    assert newcomer["lower"] < newcomer["rating"]
    assert newcomer["standing"] == "above"


def test_an_unknown_board_is_named():
    with pytest.raises(UnknownBoardError, match="'klingon'"):
        parse_board("klingon")
