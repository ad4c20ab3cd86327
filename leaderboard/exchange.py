"""Battles come and go as files: an import is all or nothing, an export reads back."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import IO

from django.db import transaction
from django.utils import timezone

from arena.importing import ImportedBattle, import_votes
from arena.models import Vote
from arena.selectors import counted_votes
from inference.exceptions import InvalidRequestError
from inference.models import LanguageModel
from inference.services import register_model
from leaderboard.battle_files import BattleRecord, read_battles, write_battles
from leaderboard.conf import leaderboard_settings
from leaderboard.exceptions import BattleFileError, BattleRowsError
from leaderboard.rating.battles import Winner
from leaderboard.services import rebuild_board_counts

EXPORT_CHUNK = 2_000


@dataclass(slots=True)
class ImportReport:
    """What an import did.

    Attributes:
        read: rows of the file.
        stored: new votes.
        known: battles that were stored before.
        uncounted: battles that did not count where they were fought; they are left out.
        bad: rows that are no battles, with their lines.
    """

    read: int
    stored: int
    known: int
    uncounted: int
    bad: list[BattleFileError]


@transaction.atomic
def import_battles(
    path: Path,
    *,
    skips_bad_rows: bool = False,
    on_progress: Callable[[int], None] = lambda _rows: None,
) -> ImportReport:
    """Store the battles of a file and count all boards again.

    Unknown models are registered, unlisted and outside the arena. Nothing is stored unless all is;
    votes given meanwhile wait.

    Args:
        path: a file that `read_battles` reads.
        skips_bad_rows: store the good rows even if there are bad ones.
        on_progress: called with the rows read so far, after each batch.

    Raises:
        BattleFileError: the file cannot be read.
        BattleRowsError: it has bad rows.
    """
    limits = leaderboard_settings()
    rows = read_battles(path, max_bytes=limits.import_max_bytes, max_rows=limits.import_max_rows)
    report = ImportReport(0, 0, 0, 0, [])
    cards: dict[str, LanguageModel] = {}
    started_at = timezone.now()
    while batch := list(islice(rows, limits.import_batch)):
        report.read += len(batch)
        ready: list[ImportedBattle] = []
        for row in batch:
            if isinstance(row, BattleFileError):
                report.bad.append(row)
            elif not row.is_counted:
                report.uncounted += 1
            else:
                try:
                    ready.append(_imported(row, cards, started_at))
                except BattleFileError as error:
                    report.bad.append(error)
        if len(report.bad) > limits.import_max_bad_rows:
            raise BattleRowsError(report.bad)
        stored = import_votes(ready)
        report.stored += len(stored)
        report.known += len(ready) - len(stored)
        on_progress(report.read)
    if report.bad and not skips_bad_rows:
        raise BattleRowsError(report.bad)
    if report.stored:
        rebuild_board_counts()
    return report


def export_battles(file: IO[str], *, is_csv: bool) -> int:
    """Write all counted votes without anything about their voters; return how many."""
    return write_battles(_records(), file, is_csv=is_csv)


def _imported(
    row: BattleRecord, cards: dict[str, LanguageModel], started_at: datetime
) -> ImportedBattle:
    """Return a row as the arena stores it; a new model gets a card."""
    return ImportedBattle(
        external_id=row.external_id,
        model_a=_card(row.model_a, cards, row.line),
        model_b=_card(row.model_b, cards, row.line),
        winner=Vote.Winner(row.winner.value),
        voted_at=row.voted_at or started_at,
        language=row.language,
    )


def _card(name: str, cards: dict[str, LanguageModel], line: int) -> LanguageModel:
    """Return the card of a model, registered if need be."""
    if name not in cards:
        try:
            cards[name] = register_model(name=name, is_listed=False, is_in_arena=False)
        except InvalidRequestError as error:
            raise BattleFileError(str(error), line=line) from error
    return cards[name]


def _records() -> Iterator[BattleRecord]:
    """Yield the counted votes in the order they were given."""
    for line, vote in enumerate(counted_votes().iterator(chunk_size=EXPORT_CHUNK), start=1):
        battle = vote.battle
        yield BattleRecord(
            line=line,
            external_id=battle.external_id or battle.public_id,
            model_a=battle.model_a.name,
            model_b=battle.model_b.name,
            winner=Winner(vote.winner),
            language=battle.language,
            voted_at=vote.created_at,
        )
