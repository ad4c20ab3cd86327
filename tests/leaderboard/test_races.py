"""Votes that come at the same time, each on a thread and connection of its own."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection, transaction

from arena.chain import append_votes
from arena.models import Vote
from leaderboard.categories import Board
from leaderboard.models import PairCount
from leaderboard.selectors import board_named
from leaderboard.services import count_vote, rebuild_board_counts
from tests.leaderboard.votes import fought_battle, model_named

pytestmark = pytest.mark.django_db(transaction=True)
THREADS = 4
ROUNDS = 5


def vote_on(battle) -> None:
    """What the arena does: store the vote and run the counters in one transaction."""
    with transaction.atomic():
        vote = Vote(battle=battle, winner="a")
        append_votes([vote])
        count_vote(vote)


def at_once(*tasks: Callable[[], object]) -> None:
    """Run all tasks together and raise the first error."""
    start = threading.Barrier(len(tasks))

    def run(task: Callable[[], object]) -> None:
        try:
            start.wait(timeout=30)
            task()
        finally:
            connection.close()

    with ThreadPoolExecutor(len(tasks)) as pool:
        for done in [pool.submit(run, task) for task in tasks]:
            done.result(timeout=60)


def test_no_vote_is_lost_when_many_come_at_once_for_a_new_pair():
    battles = [fought_battle("A", "B", language="en") for _ in range(THREADS * ROUNDS)]

    def voter(mine):
        return lambda: [vote_on(battle) for battle in mine]

    at_once(*[voter(battles[index::THREADS]) for index in range(THREADS)])

    assert board_named(Board.OVERALL).scoreboard.votes == THREADS * ROUNDS
    assert board_named(Board.ENGLISH).scoreboard.votes == THREADS * ROUNDS
    assert rebuild_board_counts().corrected == 0


def test_a_recount_during_votes_neither_loses_nor_doubles_any():
    model_named("A"), model_named("B")
    battles = [fought_battle("A", "B", language="en") for _ in range(10)]

    at_once(
        lambda: [vote_on(battle) for battle in battles],
        lambda: [rebuild_board_counts() for _ in range(4)],
    )

    assert PairCount.objects.get(board="overall").a_wins == 10
    assert rebuild_board_counts().corrected == 0
