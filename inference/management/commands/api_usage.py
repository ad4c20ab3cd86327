"""`manage.py api_usage`: what keys have used."""

import json
from argparse import ArgumentParser
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand
from django.utils import timezone

from inference import selectors
from inference.management.bad_input import refuse
from inference.models import ApiUsage

MOST_DAYS = 3650


class Command(BaseCommand):
    """Prints what keys used a day and model, as a table or as JSON."""

    help = (
        "Print requests, tokens and errors of every key by day (UTC) and model; --json prints"
        ' {"rows": [{"day", "key", "prefix", "model", "requests", "prompt_tokens",'
        ' "completion_tokens", "errors"}]} and nothing else.'
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take the time, the key and the shape."""
        parser.epilog = "Example: manage.py api_usage --days 7 --key laptop"
        parser.add_argument("--days", type=int, default=30, help="today and the days before (30)")
        parser.add_argument("--key", default="", metavar="NAME", help="keys of this name alone")
        parser.add_argument("--json", action="store_true", help="print JSON for programs")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Print the rows.

        Raises:
            CommandError: the number of days cannot be used.
        """
        days = options["days"]
        if not 1 <= days <= MOST_DAYS:
            raise refuse(f"--days must be between 1 and {MOST_DAYS}, not {days}")
        first_day = timezone.now().date() - timedelta(days=days - 1)
        rows = list(map(_as_data, selectors.usage_since(first_day, name=options["key"])))
        if options["json"]:
            self.stdout.write(json.dumps({"rows": rows}, ensure_ascii=False))
        elif not rows:
            self.stdout.write("No key was used in this time.")
        else:
            for line in _table(rows):
                self.stdout.write(line)


def _as_data(row: ApiUsage) -> dict[str, Any]:
    return {
        "day": row.day.isoformat(),
        "key": row.key.name,
        "prefix": row.key.prefix,
        "model": row.model,
        "requests": row.requests,
        "prompt_tokens": row.prompt_tokens,
        "completion_tokens": row.completion_tokens,
        "errors": row.errors,
    }


def _table(rows: list[dict[str, Any]]) -> list[str]:
    """Return the head, a line for each row, and the sums."""
    counts = ("requests", "prompt_tokens", "completion_tokens", "errors")
    total = {"day": "total", "key": "", "prefix": "", "model": ""}
    cells = [list(rows[0])]
    cells += [[str(value) for value in row.values()] for row in rows]
    cells += [[*total.values(), *(str(sum(row[name] for row in rows)) for name in counts)]]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return [
        "  ".join(
            cell.ljust(width) if place < len(total) else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in cells
    ]
