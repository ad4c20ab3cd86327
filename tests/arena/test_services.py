"""What may be stored about battles and votes."""

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.utils import timezone

from arena.chain import verify_chain
from arena.exceptions import (
    AlreadyVotedError,
    AppendOnlyError,
    ArenaError,
    BattleIncompleteError,
    BattleNotFoundError,
)
from arena.matchmaking import Pairing
from arena.models import GENESIS_HASH, Battle, Vote, VoteChain
from arena.services import (
    abandon_battle,
    note_answers,
    record_vote,
    start_battle,
    store_battle_prompt,
    store_battle_retry,
)
from chat.exceptions import BannedError, TurnRunningError
from chat.models import Ban, Conversation, Message
from inference.models import LanguageModel
from tests.arena.stored import VISITOR, answered_battle, end_answer
from tests.support.scripted import NAMES
from tests.support.sockets import some_visitor

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("cards", "quiet")]
counted: list[Vote] = []


@pytest.fixture
def quiet(settings: Any) -> None:
    counted.clear()
    settings.ARENA = {"vote_counters": ["tests.arena.test_services.note_vote"]}


def note_vote(vote: Vote) -> None:
    """Count a vote in the way the settings ask for."""
    assert connection.in_atomic_block
    counted.append(vote)


def vote_on(battle: Battle, winner: str = "a", *, visitor: Any = VISITOR) -> Vote:
    return record_vote(visitor=visitor, battle_id=battle.public_id, winner=Vote.Winner(winner))


def test_a_vote_ends_the_battle_and_is_counted_in_its_transaction() -> None:
    battle = answered_battle()

    vote = vote_on(battle, "b")

    battle.refresh_from_db()
    assert battle.state == Battle.State.VOTED
    assert (vote.winner, vote.is_counted, vote.reason) == ("b", True, "")
    assert (vote.voter, vote.network) == (VISITOR.key, VISITOR.network)
    assert vote.dwell_ms is not None
    assert counted == [vote]


def test_a_second_vote_on_the_same_battle_is_refused() -> None:
    battle = answered_battle()
    vote_on(battle)

    with pytest.raises(AlreadyVotedError):
        vote_on(battle, "b")

    assert [vote.winner for vote in Vote.objects.all()] == ["a"]


def test_a_counter_that_breaks_takes_the_vote_back(settings: Any) -> None:
    settings.ARENA = {"vote_counters": ["tests.arena.test_services.break_down"]}
    battle = answered_battle()

    with pytest.raises(ZeroDivisionError):
        vote_on(battle)

    battle.refresh_from_db()
    assert not Vote.objects.exists()
    assert not VoteChain.objects.exists()
    assert not battle.is_voted


def break_down(_vote: Vote) -> None:
    raise ZeroDivisionError


@pytest.mark.parametrize(
    "state", [Message.State.FAILED, Message.State.INTERRUPTED, Message.State.CANCELLED]
)
def test_a_vote_needs_two_answers(state: Message.State) -> None:
    pairing = Pairing(a=NAMES[0], b=NAMES[1], probability=1.0)
    battle = start_battle(visitor=VISITOR, pairing=pairing, prompt="Hello")
    with pytest.raises(BattleIncompleteError):
        vote_on(battle)
    end_answer(battle, "a", Message.State.DONE, "fine")
    with pytest.raises(BattleIncompleteError):
        vote_on(battle)
    end_answer(battle, "b", state)

    with pytest.raises(BattleIncompleteError):
        vote_on(battle)

    assert note_answers(battle_pk=battle.pk).state == Battle.State.SERVED


def test_an_answer_stopped_with_text_can_be_judged() -> None:
    pairing = Pairing(a=NAMES[0], b=NAMES[1], probability=1.0)
    battle = start_battle(visitor=VISITOR, pairing=pairing, prompt="Hello")
    end_answer(battle, "a", Message.State.CANCELLED, "half of")
    end_answer(battle, "b", Message.State.DONE, "whole")

    assert note_answers(battle_pk=battle.pk).state == Battle.State.ANSWERED
    assert vote_on(battle).is_counted


def test_a_vote_on_somebody_elses_battle_reads_like_one_on_none() -> None:
    battle = answered_battle()

    with pytest.raises(BattleNotFoundError) as foreign:
        vote_on(battle, visitor=some_visitor("w"))
    with pytest.raises(BattleNotFoundError) as missing:
        record_vote(visitor=VISITOR, battle_id="0" * 32, winner=Vote.Winner.A)

    assert str(foreign.value) == str(missing.value)


@pytest.mark.parametrize("subject", ["visitor", "network"])
def test_a_banned_visitor_cannot_vote(subject: str) -> None:
    battle = answered_battle()
    value = VISITOR.key if subject == "visitor" else VISITOR.network
    ban = Ban.objects.create(**{subject: value}, reason="spam")
    with pytest.raises(BannedError):
        vote_on(battle)

    ban.expires_at = timezone.now() - timedelta(seconds=1)
    ban.save()

    assert vote_on(battle).is_counted


@pytest.mark.parametrize(
    ("prompt", "texts"),
    [
        ("Are you amber-lion?", ("x", "y")),
        ("Who are you?", ("I am Basalt Wolf", "y")),
        ("Who made you?", ("x", "Amber Works")),
    ],
)
def test_a_vote_after_a_model_was_named_is_stored_and_not_counted(
    prompt: str, texts: tuple[str, str]
) -> None:
    battle = answered_battle(prompt=prompt, texts=texts)

    vote = vote_on(battle)

    assert (vote.is_counted, vote.reason) == (False, Vote.Reason.IDENTITY_LEAK)
    assert Battle.objects.get().leaks_identity


def test_votes_beyond_a_voters_share_are_stored_and_not_counted(settings: Any) -> None:
    settings.ARENA = {"pair_votes_per_day": 2, "votes_per_day": 3}

    votes = [vote_on(answered_battle()) for _ in range(3)]
    other = vote_on(answered_battle(visitor=some_visitor("w")), visitor=some_visitor("w"))

    assert [vote.reason for vote in votes] == ["", "", Vote.Reason.PAIR_CAP]
    assert other.is_counted


def test_two_votes_at_once_leave_one() -> None:
    battle = answered_battle()

    outcomes = at_once([lambda: vote_on(battle)] * 4)

    assert sorted(type(outcome).__name__ for outcome in outcomes) == [
        "AlreadyVotedError",
        "AlreadyVotedError",
        "AlreadyVotedError",
        "Vote",
    ]
    assert Vote.objects.count() == 1
    assert len(counted) == 1


def test_votes_at_once_on_different_battles_keep_the_chain_whole() -> None:
    battles = [answered_battle() for _ in range(6)]

    outcomes = at_once([lambda battle=battle: vote_on(battle) for battle in battles])

    assert all(isinstance(outcome, Vote) for outcome in outcomes)
    assert verify_chain().broken_at is None
    assert verify_chain().length == 6


def at_once(calls: list[Callable[[], Vote]]) -> list[Vote | ArenaError]:
    """Make the calls in threads that start together; return what each returned or raised."""
    outcomes: list[Vote | ArenaError] = []
    barrier = threading.Barrier(len(calls))

    def run(call: Callable[[], Vote]) -> None:
        barrier.wait()
        try:
            outcomes.append(call())
        except ArenaError as error:
            outcomes.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(call,)) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    return outcomes


def test_votes_are_never_changed_or_removed() -> None:
    vote = vote_on(answered_battle())
    vote.winner = Vote.Winner.B
    attempts: list[Callable[[], object]] = [
        vote.save,
        vote.delete,
        lambda: Vote.objects.update(winner="b"),
        lambda: Vote.objects.all().delete(),
    ]

    for attempt in attempts:
        with pytest.raises(AppendOnlyError):
            attempt()

    assert Vote.objects.get().winner == Vote.Winner.A


def test_the_chain_begins_at_genesis_and_holds() -> None:
    votes = [vote_on(answered_battle()) for _ in range(3)]

    hashes = [(vote.previous_hash, vote.content_hash) for vote in votes]

    assert hashes[0][0] == GENESIS_HASH
    assert hashes[1][0] == hashes[0][1]
    assert hashes[2][0] == hashes[1][1]
    assert verify_chain().broken_at is None


@pytest.mark.parametrize(
    "forgery",
    [
        "UPDATE arena_vote SET winner = 'b' WHERE id = %s",
        "UPDATE arena_vote SET is_counted = (%s = 0), reason = 'pair_cap'",
        "UPDATE arena_vote SET voter = 'somebody' WHERE id = %s",
        "DELETE FROM arena_vote WHERE id = %s",
    ],
)
def test_a_vote_changed_by_hand_breaks_the_chain(forgery: str) -> None:
    votes = [vote_on(answered_battle()) for _ in range(3)]

    with connection.cursor() as cursor:
        cursor.execute(forgery, [votes[1].pk])

    assert verify_chain().broken_at is not None


def test_a_chain_without_its_end_is_broken() -> None:
    votes = [vote_on(answered_battle()) for _ in range(2)]

    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM arena_vote WHERE id = %s", [votes[-1].pk])

    assert verify_chain().broken_at == 0


def test_a_further_prompt_reopens_the_battle() -> None:
    battle = answered_battle()
    note_answers(battle_pk=battle.pk)

    again = store_battle_prompt(visitor=VISITOR, battle_id=battle.public_id, prompt="More")

    assert again.state == Battle.State.SERVED
    with pytest.raises(TurnRunningError):
        store_battle_prompt(visitor=VISITOR, battle_id=battle.public_id, prompt="Too soon")


def test_only_the_failed_side_is_answered_again() -> None:
    pairing = Pairing(a=NAMES[0], b=NAMES[1], probability=1.0)
    battle = start_battle(visitor=VISITOR, pairing=pairing, prompt="Hello")
    end_answer(battle, "a", Message.State.DONE, "fine")
    end_answer(battle, "b", Message.State.FAILED)
    with pytest.raises(BattleIncompleteError):
        store_battle_prompt(visitor=VISITOR, battle_id=battle.public_id, prompt="More")

    _, again = store_battle_retry(visitor=VISITOR, battle_id=battle.public_id)

    assert [answer.conversation_id for answer in again] == [battle.conversation_b_id]
    with pytest.raises(TurnRunningError):
        store_battle_retry(visitor=VISITOR, battle_id=battle.public_id)


def test_a_battle_that_cannot_be_stored_whole_is_not_stored(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def broken(**_kwargs: Any) -> None:
        raise RuntimeError

    monkeypatch.setattr("arena.services.store_prompt", broken)

    with pytest.raises(RuntimeError), transaction.atomic():
        start_battle(visitor=VISITOR, pairing=Pairing(NAMES[0], NAMES[1], 1.0), prompt="Hello")

    assert not Battle.objects.exists()
    assert not Conversation.objects.exists()


def test_leaving_is_noted_once_and_never_after_a_vote() -> None:
    left, voted = answered_battle(), answered_battle()
    vote_on(voted)

    for battle in (left, voted):
        abandon_battle(visitor=VISITOR, battle_id=battle.public_id)
    abandon_battle(visitor=some_visitor("w"), battle_id=left.public_id)

    assert [battle.abandoned_at is not None for battle in Battle.objects.order_by("pk")] == [
        True,
        False,
    ]


def test_the_models_of_battles_cannot_be_deleted() -> None:
    answered_battle()

    with pytest.raises(Exception, match="protected"):
        LanguageModel.objects.get(name=NAMES[0]).delete()
