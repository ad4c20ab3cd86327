"""What benchmarks share: their options, the table people read and the JSON programs read."""

import argparse
import json
from collections.abc import Callable, Collection, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any


def options_parser(description: str | None) -> argparse.ArgumentParser:
    """Return a parser with the options every benchmark has: `quick` and `json`."""
    parser = argparse.ArgumentParser(
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--quick", action="store_true", help="fewer and smaller runs")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the rows to a file")
    return parser


def parse_options(description: str | None, arguments: Sequence[str] | None) -> argparse.Namespace:
    """Return the options of a benchmark that has no others."""
    return options_parser(description).parse_args(arguments)


def positive(text: str) -> int:
    """Read a number of at least 1."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is below 1")
    return number


def list_of(kind: Callable[[str], Any], allowed: Collection[Any] = ()) -> Callable[[str], Any]:
    """Return a reader of an option's comma-separated values, for `type=` of an argument."""

    def read(text: str) -> tuple[Any, ...]:
        values = tuple(kind(item) for item in text.split(",") if item)
        for value in values:
            if allowed and value not in allowed:
                raise argparse.ArgumentTypeError(f"{value!r} is not one of {', '.join(allowed)}")
        return values

    return read


def report(rows: Sequence[Any], options: argparse.Namespace, **facts: Any) -> None:
    """Print rows as a table, and write them with `facts` to the file that was asked for."""
    print(table_of([asdict(row) for row in rows]))
    write(rows, options, **facts)


def write(rows: Sequence[Any], options: argparse.Namespace, **facts: Any) -> None:
    """Write rows to the file that was asked for, if one was.

    Args:
        rows: dataclass instances of one kind.
        options: what `parse_options` returned.
        facts: what the numbers depend on: sizes, versions, the machine's kind.
    """
    if options.json is None:
        return
    options.json.parent.mkdir(parents=True, exist_ok=True)
    document = json.dumps({"rows": [asdict(row) for row in rows], **facts}, indent=2)
    options.json.write_text(document + "\n", encoding="utf-8")


def table_of(records: Sequence[dict[str, Any]]) -> str:
    """Lay records out in columns, numbers to the right."""
    if not records:
        return "no rows"
    names = list(records[0])
    cells = [[_shown(record[name]) for name in names] for record in records]
    widths = [
        max(len(name), *(len(row[column]) for row in cells)) for column, name in enumerate(names)
    ]
    lines = [names, *cells]
    return "\n".join(
        "  ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True))
        for line in lines
    )


def _shown(value: Any) -> str:
    """Three significant digits for a fraction, the thing itself otherwise."""
    return (
        f"{value:.3g}"
        if isinstance(value, float) and abs(value) < 100
        else (f"{value:.0f}" if isinstance(value, float) else str(value))
    )
