"""Export battles to a file."""

import gzip
import io
from argparse import ArgumentParser
from pathlib import Path
from typing import IO, Any

from django.core.management.base import BaseCommand, CommandError

from leaderboard.exchange import export_battles

ENDINGS = {(".jsonl",), (".jsonl", ".gz"), (".csv",), (".csv", ".gz")}


class Command(BaseCommand):
    """Writes all counted votes, without anything about their voters."""

    help = (
        "Write all counted votes to a .jsonl or .csv file (.gz may follow) that import_battles"
        " reads: battle_id, model_a, model_b, winner, language, tstamp; nothing about voters."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take the file."""
        parser.epilog = "Example: manage.py export_battles battles.jsonl.gz"
        parser.add_argument("file", type=Path, help="the file to write; it must not exist yet")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Write the file and say how much is in it."""
        path: Path = options["file"]
        endings = tuple(path.suffixes[-2:] if path.suffix == ".gz" else path.suffixes[-1:])
        if endings not in ENDINGS:
            raise CommandError(f"{path.name} must end in .jsonl or .csv (.gz may follow)")
        try:
            with _created(path) as file:
                count = export_battles(file, is_csv=".csv" in endings)
        except FileExistsError as error:
            raise CommandError(f"{path} exists already") from error
        except OSError as error:
            raise CommandError(f"{path} cannot be written: {error.strerror}") from error
        self.stdout.write(f"{count} votes written to {path}")


def _created(path: Path) -> IO[str]:
    """Create the file for text, packed if it is called so."""
    if path.suffix == ".gz":
        return io.TextIOWrapper(gzip.open(path, "xb"), encoding="utf-8", newline="")
    return path.open("x", encoding="utf-8", newline="")
