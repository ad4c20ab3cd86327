"""Reads of battles: what they return, and with how many queries."""

from datetime import UTC, datetime
from typing import Any

import pytest
from pytest_django.fixtures import DjangoAssertNumQueries

from arena.exceptions import BattleNotFoundError
from arena.importing import ImportedBattle, import_votes
from arena.models import Battle, Vote
from arena.selectors import (
    battle_candidates,
    battle_of,
    battle_turns,
    counted_votes,
    first_prompt,
    is_complete,
    outcome_counts,
)
from arena.services import record_vote, store_battle_prompt
from chat.models import Message
from tests.arena.stored import VISITOR, answered_battle, end_answer
from tests.support.scripted import NAMES
from tests.support.sockets import some_visitor

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("cards")]


@pytest.fixture(autouse=True)
def no_counters(settings: Any) -> None:
    settings.ARENA = {}


def test_candidates_are_the_live_models_of_the_arena(cards: Any) -> None:
    type(cards[0]).objects.create(name="outside", is_in_arena=False)
    type(cards[0]).objects.create(name="asleep")

    candidates = battle_candidates({NAMES[0], NAMES[1], "outside", "nobody"})

    assert [candidate.name for candidate in candidates] == list(NAMES)


def test_a_battle_is_found_by_its_owner_alone(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    stored = answered_battle()

    with django_assert_num_queries(1):
        battle = battle_of(VISITOR, stored.public_id)
        names = {battle.model_a.name, battle.model_b.name}

    assert names == set(NAMES)
    with pytest.raises(BattleNotFoundError):
        battle_of(some_visitor("w"), stored.public_id)


def test_turns_come_in_order_with_the_current_answers(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    battle = answered_battle(prompt="One")
    store_battle_prompt(visitor=VISITOR, battle_id=battle.public_id, prompt="Two")
    end_answer(battle, "a", Message.State.DONE, "again x")

    with django_assert_num_queries(1):
        turns = battle_turns(battle)

    assert [turn.prompt for turn in turns] == ["One", "Two"]
    assert [turn.answers["a"].content for turn in turns] == ["x", "again x"]
    assert not is_complete(battle)
    assert first_prompt(battle) == "One"


def imported(number: int, winner: str, cards: Any, *, language: str = "en") -> ImportedBattle:
    return ImportedBattle(
        external_id=f"file:{number}",
        model_a=cards[number % 2],
        model_b=cards[1 - number % 2],
        winner=Vote.Winner(winner),
        voted_at=datetime(2024, 1, 1 + number, tzinfo=UTC),
        language=language,
    )


def test_imported_battles_are_stored_once(cards: Any) -> None:
    rows = [imported(0, "a", cards), imported(1, "tie", cards), imported(0, "a", cards)]

    first = import_votes(rows)
    second = import_votes([*rows, imported(2, "b", cards)])

    assert [vote.winner for vote in first] == ["a", "tie"]
    assert [vote.winner for vote in second] == ["b"]
    battle = Battle.objects.get(external_id="file:1")
    assert (battle.source, battle.state) == (Battle.Source.IMPORT, Battle.State.VOTED)
    assert first_prompt(battle) == ""


def test_outcomes_are_counted_by_served_pair_and_language(
    cards: Any, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    import_votes([imported(n, "a", cards) for n in range(4)])
    import_votes([imported(4, "both_bad", cards, language="zh")])
    record_vote(
        visitor=VISITOR,
        battle_id=answered_battle(prompt="amber-lion?").public_id,
        winner=Vote.Winner.A,
    )

    with django_assert_num_queries(1):
        counts = outcome_counts()

    one, other = (card.pk for card in cards)
    assert [(c.model_a_id, c.model_b_id, c.winner, c.language, c.votes) for c in counts] == [
        (one, other, "a", "en", 2),
        (one, other, "both_bad", "zh", 1),
        (other, one, "a", "en", 2),
    ]


def test_counted_votes_come_with_their_models(
    cards: Any, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    import_votes([imported(n, "a", cards) for n in range(5)])

    with django_assert_num_queries(1):
        names = [vote.battle.model_a.name for vote in counted_votes()]

    assert len(names) == 5
