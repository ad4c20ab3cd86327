"""Battles from elsewhere: stored with their verdicts, each once."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.db.models import Q

from arena.chain import append_votes
from arena.models import Battle, Vote
from inference.models import LanguageModel


@dataclass(frozen=True, slots=True)
class ImportedBattle:
    """One battle of a file.

    Attributes:
        external_id: names the battle for good; a second import of it is skipped.
        model_a, model_b: cards that exist, different ones.
        winner: the verdict.
        voted_at: with a time zone.
        language: ISO 639-1, or empty.
        voter: a keyed hash, or empty; never an address.
    """

    external_id: str
    model_a: LanguageModel
    model_b: LanguageModel
    winner: Vote.Winner
    voted_at: datetime
    language: str = ""
    voter: str = ""


@transaction.atomic
def import_votes(rows: Sequence[ImportedBattle]) -> list[Vote]:
    """Store battles and their votes; return the new votes, in the order of the rows.

    Rows whose `external_id` is stored already, or is the public id of a battle fought here, are
    skipped, so that an import can be repeated and an export read back. The vote counters do not
    run: rebuild them once after the last batch.
    """
    fresh = _fresh(rows)
    battles = Battle.objects.bulk_create([_battle(row) for row in fresh])
    votes = [
        Vote(battle=battle, winner=row.winner, voter=row.voter[:32], created_at=row.voted_at)
        for battle, row in zip(battles, fresh, strict=True)
    ]
    return append_votes(votes) if votes else []


def _fresh(rows: Iterable[ImportedBattle]) -> list[ImportedBattle]:
    """Return the rows that are not stored, without repetitions."""
    by_id = {row.external_id: row for row in rows}
    stored = Battle.objects.filter(Q(external_id__in=by_id) | Q(public_id__in=by_id))
    known = {name for names in stored.values_list("external_id", "public_id") for name in names}
    return [row for external_id, row in by_id.items() if external_id not in known]


def _battle(row: ImportedBattle) -> Battle:
    return Battle(
        source=Battle.Source.IMPORT,
        external_id=row.external_id,
        model_a=row.model_a,
        model_b=row.model_b,
        state=Battle.State.VOTED,
        language=row.language,
        created_at=row.voted_at,
        answered_at=row.voted_at,
    )
