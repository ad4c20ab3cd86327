"""Battles in bulk: what the boards count, and what an export holds."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count

from arena.models import Battle, Vote
from chat.models import Message

CHUNK_ROWS = 2_000


@dataclass(frozen=True, slots=True)
class OutcomeCount:
    """How many counted votes share sides, winner and language."""

    model_a_id: int
    model_b_id: int
    winner: str
    language: str
    votes: int


@dataclass(frozen=True, slots=True)
class ArchivedVote:
    """One vote without anything about the person who gave it."""

    battle: str
    model_a: str
    model_b: str
    winner: str
    language: str
    created_at: datetime
    is_counted: bool


def outcome_counts() -> list[OutcomeCount]:
    """Count the counted votes by sides, winner and language, in one query."""
    fields = ("battle__model_a_id", "battle__model_b_id", "winner", "battle__language")
    rows = (
        Vote.objects.filter(is_counted=True)
        .order_by()
        .values_list(*fields)
        .annotate(votes=Count("pk"))
    )
    return [OutcomeCount(*row) for row in rows]


def archived_votes() -> Iterator[ArchivedVote]:
    """Return all votes in the order they were given, a chunk at a time."""
    rows = Vote.objects.order_by("pk").values_list(
        "battle__public_id",
        "battle__model_a__name",
        "battle__model_b__name",
        "winner",
        "battle__language",
        "created_at",
        "is_counted",
    )
    return (ArchivedVote(*row) for row in rows.iterator(chunk_size=CHUNK_ROWS))


def first_prompt(battle: Battle) -> str:
    """Return what the visitor asked first; an imported battle has no words."""
    if battle.conversation_a_id is None:
        return ""
    content = (
        Message.objects.filter(conversation=battle.conversation_a_id, role=Message.Role.USER)
        .order_by("position", "version")
        .values_list("content", flat=True)
        .first()
    )
    return content or ""


def note_language(*, battle: Battle, language: str) -> None:
    """Store the language a battle was fought in."""
    battle.language = language
    battle.save(update_fields=["language"])
