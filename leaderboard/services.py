"""Writes of the leaderboard: counters that follow the votes, and snapshots."""

import hashlib
import json
from collections import Counter
from dataclasses import dataclass

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from arena.models import Vote
from arena.selectors import first_prompt, outcome_counts
from arena.services import note_language
from leaderboard.categories import Board, boards_of, language_of
from leaderboard.exceptions import EmptyBoardError
from leaderboard.models import BoardState, PairCount, Snapshot, SnapshotEntry, new_stamp
from leaderboard.selectors import board_named

# The counter of each verdict, seen from the model with the smaller key on side A and on side B.
COUNTER_AS_SERVED = {"a": "a_wins", "b": "b_wins", "tie": "ties", "both_bad": "both_bad"}
COUNTER_TURNED = COUNTER_AS_SERVED | {"a": "b_wins", "b": "a_wins"}

# board, model with the smaller key, the other model
Cell = tuple[str, int, int]


@dataclass(frozen=True, slots=True)
class Recount:
    """What counting all votes again found: the votes, and the counters that were wrong."""

    votes: int
    corrected: int


@transaction.atomic
def count_vote(vote: Vote) -> None:
    """Add one vote to the boards it belongs to; runs inside the vote's own transaction."""
    if not vote.is_counted:
        return
    battle = vote.battle
    language = battle.language
    if not language:
        language = language_of(first_prompt(battle))
        note_language(battle=battle, language=language)
    boards = boards_of(language)
    _restamp(boards)
    first, second = sorted((battle.model_a_id, battle.model_b_id))
    counter = _counter(battle.model_a_id == first, vote.winner)
    for board in boards:
        cell = {"board": board, "model_a_id": first, "model_b_id": second}
        if not PairCount.objects.filter(**cell).update(**{counter: F(counter) + 1}):
            PairCount.objects.create(**cell, **{counter: 1})


@transaction.atomic
def rebuild_board_counts() -> Recount:
    """Count all votes again and store the result; votes wait meanwhile.

    Counters that follow every vote are right already, so `corrected` is 0 unless somebody wrote
    to the tables by hand or votes were stored in bulk.
    """
    _restamp(tuple(Board))
    counted: dict[Cell, Counter[str]] = {}
    votes = 0
    for row in outcome_counts():
        first, second = sorted((row.model_a_id, row.model_b_id))
        counter = _counter(row.model_a_id == first, row.winner)
        votes += row.votes
        for board in boards_of(row.language):
            counted.setdefault((board, first, second), Counter())[counter] += row.votes
    stored = {
        (row.board, row.model_a_id, row.model_b_id): Counter(
            {counter: getattr(row, counter) for counter in COUNTER_AS_SERVED.values()}
        )
        for row in PairCount.objects.all()
    }
    wrong = [
        cell for cell in counted.keys() | stored.keys() if counted.get(cell) != stored.get(cell)
    ]
    PairCount.objects.all().delete()
    PairCount.objects.bulk_create(
        [
            PairCount(board=board, model_a_id=first, model_b_id=second, **counters)
            for (board, first, second), counters in sorted(counted.items())
        ],
        batch_size=500,
    )
    return Recount(votes=votes, corrected=len(wrong))


@transaction.atomic
def take_snapshot(board: Board) -> Snapshot:
    """Publish the board as it stands; nothing can change it later.

    Raises:
        EmptyBoardError: nobody has voted on this board.
    """
    scoreboard = board_named(board).scoreboard
    if not scoreboard.ratings:
        raise EmptyBoardError(board)
    lines = [
        {
            "position": position,
            "model": rating.model,
            "rating": rating.rating,
            "lower": rating.lower,
            "upper": rating.upper,
            "best_rank": rating.best_rank,
            "worst_rank": rating.worst_rank,
            "votes": rating.votes,
            "standing": rating.standing.value,
        }
        for position, rating in enumerate(scoreboard.ratings, start=1)
    ]
    content = json.dumps({"board": board, "entries": lines}, sort_keys=True, ensure_ascii=False)
    snapshot = Snapshot.objects.create(
        board=board,
        votes=scoreboard.votes,
        content_hash=hashlib.sha256(content.encode()).hexdigest(),
    )
    SnapshotEntry.objects.bulk_create(
        [SnapshotEntry(snapshot=snapshot, **line) for line in lines], batch_size=500
    )
    return snapshot


def _counter(is_served_in_order: bool, winner: str) -> str:
    """Return the counter a verdict belongs to."""
    return (COUNTER_AS_SERVED if is_served_in_order else COUNTER_TURNED)[winner]


def _restamp(boards: tuple[Board, ...]) -> None:
    """Lock the boards, always in the same order, and mark them as changed."""
    for board in sorted(boards):
        state, _ = BoardState.objects.select_for_update().get_or_create(board=board)
        state.stamp = new_stamp()
        state.changed_at = timezone.now()
        state.save(update_fields=["stamp", "changed_at"])
