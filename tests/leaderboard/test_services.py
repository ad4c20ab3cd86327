import pytest
from django.db import IntegrityError, transaction

from arena.services import run_counters
from leaderboard.categories import Board
from leaderboard.exceptions import EmptyBoardError, ImmutableSnapshotError
from leaderboard.models import BoardState, PairCount, Snapshot, SnapshotEntry
from leaderboard.selectors import board_named
from leaderboard.services import count_vote, rebuild_board_counts, take_snapshot
from tests.leaderboard.votes import cast_vote, cast_votes, fought_battle, model_named

pytestmark = pytest.mark.django_db


def counters(board: str = "overall") -> dict[str, tuple[int, ...]]:
    rows = PairCount.objects.filter(board=board).select_related("model_a", "model_b")
    return {
        f"{row.model_a.name}-{row.model_b.name}": (row.a_wins, row.b_wins, row.ties, row.both_bad)
        for row in rows
    }


def test_a_vote_counts_for_its_pair_whichever_side_the_models_stood_on():
    model_named("A"), model_named("B")

    cast_votes("A B a, B A a, B A b, A B tie, B A both_bad")

    assert counters() == {"A-B": (2, 1, 1, 1)}


def test_a_vote_counts_overall_and_in_the_language_of_its_first_prompt():
    cast_vote(fought_battle("A", "B", prompt="What is the capital of France?"), "a")
    cast_vote(fought_battle("A", "B", prompt="法国的首都是哪里？"), "b")
    cast_vote(fought_battle("A", "B", prompt="Wie heißt die Hauptstadt von Frankreich?"), "tie")

    assert counters("overall") == {"A-B": (1, 1, 1, 0)}
    assert counters("english") == {"A-B": (1, 0, 0, 0)}
    assert counters("chinese") == {"A-B": (0, 1, 0, 0)}


def test_the_language_is_kept_with_the_battle():
    battle = fought_battle("A", "B", prompt="写一首诗")

    cast_vote(battle, "a")

    battle.refresh_from_db()
    assert battle.language == "zh"


def test_a_vote_that_does_not_count_changes_no_board():
    cast_vote(fought_battle("A", "B"), "a", reason="identity_leak")

    assert counters() == {}
    assert not BoardState.objects.exists()


def test_counting_costs_a_bounded_number_of_queries(django_assert_max_num_queries):
    cast_votes("A B a")
    vote = cast_vote(fought_battle("A", "B", language="en"), "b", reason="pair_cap")
    vote.is_counted = True

    with django_assert_max_num_queries(10):
        count_vote(vote)

    assert counters() == {"A-B": (1, 1, 0, 0)}


def test_a_vote_that_is_rolled_back_takes_its_count_with_it():
    def vote_and_fail():
        with transaction.atomic():
            cast_votes("A B a")
            raise RuntimeError("the story ends badly")

    with pytest.raises(RuntimeError):
        vote_and_fail()

    assert counters() == {}


def test_counting_again_finds_nothing_to_correct():
    cast_votes("A B a, B A b, C A tie")
    cast_vote(fought_battle("A", "B", prompt="写一首诗"), "both_bad")
    cast_vote(fought_battle("A", "B"), "a", reason="daily_cap")
    before = {board: counters(board) for board in Board}

    recount = rebuild_board_counts()

    assert (recount.votes, recount.corrected) == (4, 0)
    assert {board: counters(board) for board in Board} == before


def test_counting_again_repairs_what_was_tampered_with():
    cast_votes("A B a, A C b")
    PairCount.objects.filter(board="overall").update(a_wins=99)
    model_named("X"), model_named("Y")
    PairCount.objects.create(board="chinese", model_a=model_named("X"), model_b=model_named("Y"))

    recount = rebuild_board_counts()

    assert recount.corrected == 3
    assert counters() == {"A-B": (1, 0, 0, 0), "A-C": (0, 1, 0, 0)}
    assert counters("chinese") == {}


def test_counting_again_refreshes_the_board():
    cast_votes("A B a")
    PairCount.objects.update(a_wins=7, b_wins=1)
    assert board_named(Board.OVERALL).scoreboard.votes == 8

    rebuild_board_counts()

    assert board_named(Board.OVERALL).scoreboard.votes == 1


def test_the_database_refuses_a_pair_out_of_order():
    first, second = model_named("A"), model_named("B")

    with pytest.raises(IntegrityError), transaction.atomic():
        PairCount.objects.create(board="overall", model_a=second, model_b=first)


def test_a_snapshot_holds_the_board_line_by_line():
    cast_votes("A B a, B A a, A B tie, U A a")

    snapshot = take_snapshot(Board.OVERALL)

    lines = list(snapshot.entries.values_list("position", "model", "votes", "standing"))
    ratings = board_named(Board.OVERALL).scoreboard.ratings
    assert lines == [
        (position, rating.model, rating.votes, rating.standing)
        for position, rating in enumerate(ratings, start=1)
    ]
    assert snapshot.votes == 4
    assert len(snapshot.public_id) == 32


def test_equal_boards_have_equal_hashes_and_a_vote_changes_them():
    cast_votes("A B a, B A a")
    first, second = take_snapshot(Board.OVERALL), take_snapshot(Board.OVERALL)
    cast_votes("A B a")

    assert first.content_hash == second.content_hash
    assert take_snapshot(Board.OVERALL).content_hash != first.content_hash


def test_a_snapshot_does_not_follow_later_votes():
    cast_votes("A B a, B A a")
    snapshot = take_snapshot(Board.OVERALL)
    before = list(snapshot.entries.values_list("rating", flat=True))

    cast_votes("A B a, A B a")

    assert list(snapshot.entries.values_list("rating", flat=True)) == before


@pytest.mark.parametrize("row", [Snapshot, SnapshotEntry])
def test_nobody_changes_or_removes_a_snapshot(row):
    cast_votes("A B tie")
    take_snapshot(Board.OVERALL)
    stored = row.objects.first()

    for attempt in (
        stored.save,
        stored.delete,
        row.objects.all().delete,
        lambda: row.objects.update(votes=0),
    ):
        with pytest.raises(ImmutableSnapshotError):
            attempt()


def test_an_empty_board_is_not_published():
    with pytest.raises(EmptyBoardError, match="overall"):
        take_snapshot(Board.OVERALL)


def test_the_arena_runs_the_counter_that_the_settings_name():
    vote = cast_vote(fought_battle("A", "B", language="en"), "a", reason="pair_cap")
    vote.is_counted = True

    run_counters(vote)

    assert counters() == {"A-B": (1, 0, 0, 0)}
