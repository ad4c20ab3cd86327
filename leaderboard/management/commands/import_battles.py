"""Import battles from a file."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from leaderboard.exceptions import BattleFileError, BattleRowsError
from leaderboard.exchange import import_battles

SHOWN_ROWS = 20


class Command(BaseCommand):
    """Stores battles fought elsewhere and counts the boards again."""

    help = (
        "Read battles from a .jsonl or .csv file (.gz may follow) with model_a, model_b and winner"
        " (model_a, model_b, tie, tie (bothbad)); optional are battle_id or question_id, language,"
        " tstamp and anony. Each battle is stored once, however often the file is read. All or"
        " nothing is stored."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take the file."""
        parser.epilog = "Example: manage.py import_battles battles.csv.gz"
        parser.add_argument("file", type=Path, help="the file to read")
        parser.add_argument(
            "--skip-bad-rows", action="store_true", help="store the rest when rows are wrong"
        )

    def handle(self, *_args: Any, **options: Any) -> None:
        """Import, and say what was done and which rows were wrong."""
        try:
            report = import_battles(
                options["file"],
                skips_bad_rows=options["skip_bad_rows"],
                on_progress=self._show_progress,
            )
        except BattleRowsError as error:
            self._list_bad(list(error.rows))
            raise CommandError(f"{error} (--skip-bad-rows stores the rest)") from error
        except BattleFileError as error:
            raise CommandError(f"{options['file'].name}: {error}") from error
        self._list_bad(report.bad)
        self.stdout.write(
            f"{report.read} rows: {report.stored} votes stored, {report.known} known already,"
            f" {report.uncounted} left out as uncounted, {len(report.bad)} bad"
        )

    def _show_progress(self, rows: int) -> None:
        """Write the rows read so far over the line before."""
        if self.stderr.isatty():
            self.stderr.write(f"\r{rows} rows", ending="")

    def _list_bad(self, rows: list[BattleFileError]) -> None:
        """Name the first bad rows."""
        for row in rows[:SHOWN_ROWS]:
            self.stderr.write(str(row))
        if len(rows) > SHOWN_ROWS:
            self.stderr.write(f"and {len(rows) - SHOWN_ROWS} more")
