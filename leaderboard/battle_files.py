"""Files of battles: JSON lines or CSV, plain or gzipped, in FastChat's field names."""

import csv
import gzip
import hashlib
import io
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

from leaderboard.exceptions import BattleFileError
from leaderboard.rating.battles import Winner

WINNERS = {
    "model_a": Winner.A,
    "model_b": Winner.B,
    "tie": Winner.TIE,
    "tie (bothbad)": Winner.BOTH_BAD,
}
WINNER_NAMES = {winner: name for name, winner in WINNERS.items()}
# Fields that may name a battle for good, the first one found wins.
ID_FIELDS = ("battle_id", "question_id", "_id")
LANGUAGE_CODES = {"english": "en", "chinese": "zh"}
EXPORT_FIELDS = ("battle_id", "model_a", "model_b", "winner", "language", "tstamp")

MOST_LINE_CHARS = 1_000_000
MOST_ID_CHARS = 128
MOST_LANGUAGE_CHARS = 16


@dataclass(frozen=True, slots=True)
class BattleRecord:
    """One battle of a file.

    Attributes:
        line: where it stands, counted from 1.
        external_id: its own name, or one made of the file's hash and the line.
        voted_at: None where the file does not say.
        language: ISO 639-1 where it is known.
        is_counted: whether it was a blind, counted battle where it was fought.
    """

    line: int
    external_id: str
    model_a: str
    model_b: str
    winner: Winner
    language: str = ""
    voted_at: datetime | None = None
    is_counted: bool = True


def read_battles(
    path: Path, *, max_bytes: int, max_rows: int
) -> Iterator[BattleRecord | BattleFileError]:
    """Yield the battles of a file in their order, and an error for each row that is none.

    `.jsonl` and `.json` hold an object a line, `.csv` a header and a row a line; `.gz` may follow.

    Args:
        path: the file.
        max_bytes: most bytes that are read, unpacked.
        max_rows: most rows.

    Raises:
        BattleFileError: the file as a whole cannot be read: unknown ending, missing columns, not
            UTF-8, damaged or larger than allowed.
    """
    digest = _digest(path)
    with _opened(path) as file:
        lines = _bounded_lines(file, max_bytes)
        rows = _csv_rows(lines) if ".csv" in path.suffixes else _json_rows(lines)
        for count, (line, row) in enumerate(rows, start=1):
            if count > max_rows:
                raise BattleFileError(f"more than {max_rows} battles", line=line)
            if isinstance(row, BattleFileError):
                yield row
                continue
            try:
                yield _record(row, line=line, digest=digest)
            except BattleFileError as error:
                yield error


def write_battles(records: Iterable[BattleRecord], file: IO[str], *, is_csv: bool) -> int:
    """Write battles so that `read_battles` reads them back; return how many."""
    writer = csv.DictWriter(file, EXPORT_FIELDS)
    if is_csv:
        writer.writeheader()
    count = 0
    for record in records:
        assert record.voted_at is not None
        row = {
            "battle_id": record.external_id,
            "model_a": record.model_a,
            "model_b": record.model_b,
            "winner": WINNER_NAMES[record.winner],
            "language": record.language,
            "tstamp": record.voted_at.timestamp(),
        }
        if is_csv:
            writer.writerow(row)
        else:
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
        count += 1
    return count


def _opened(path: Path) -> IO[str]:
    """Open a file of a kind we know."""
    kinds = [suffix for suffix in path.suffixes if suffix in {".jsonl", ".json", ".csv", ".gz"}]
    if not kinds or kinds == [".gz"]:
        raise BattleFileError(f"{path.name} is none of .jsonl, .json, .csv (.gz may follow)")
    if kinds[-1] == ".gz":
        return io.TextIOWrapper(gzip.open(path), encoding="utf-8-sig", newline="")
    return path.open(encoding="utf-8-sig", newline="")


def _digest(path: Path) -> str:
    """Return a short hash of the file's bytes."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()[:32]
    except OSError as error:
        raise BattleFileError(f"{path} cannot be read: {error.strerror}") from error


def _bounded_lines(file: IO[str], max_bytes: int) -> Iterator[str]:
    """Yield lines until the file ends; refuse endless ones, too many bytes and damage."""
    total, line = 0, 0
    while True:
        line += 1
        try:
            text = file.readline(MOST_LINE_CHARS + 1)
        except UnicodeDecodeError as error:
            raise BattleFileError("the text is not UTF-8", line=line) from error
        except (OSError, EOFError) as error:
            raise BattleFileError(f"the file is damaged: {error}", line=line) from error
        if not text:
            return
        total += len(text.encode())
        if len(text) > MOST_LINE_CHARS:
            raise BattleFileError(f"longer than {MOST_LINE_CHARS} characters", line=line)
        if total > max_bytes:
            raise BattleFileError(f"the file has more than {max_bytes} bytes", line=line)
        yield text


def _json_rows(lines: Iterable[str]) -> Iterator[tuple[int, Mapping[str, Any] | BattleFileError]]:
    """Yield line numbers and objects."""
    for line, text in enumerate(lines, start=1):
        if not text.strip():
            continue
        try:
            row = json.loads(text)
        except ValueError as error:
            yield line, BattleFileError(f"not JSON: {error}", line=line)
            continue
        if isinstance(row, dict):
            yield line, row
        else:
            yield line, BattleFileError("not an object but something else", line=line)


def _csv_rows(lines: Iterable[str]) -> Iterator[tuple[int, Mapping[str, Any] | BattleFileError]]:
    """Yield line numbers and rows."""
    reader = csv.DictReader(lines, strict=True)
    try:
        missing = {"model_a", "model_b", "winner"} - set(reader.fieldnames or ())
        if missing:
            raise BattleFileError(f"the columns {', '.join(sorted(missing))} are missing", line=1)
        for row in reader:
            yield reader.line_num, row
    except csv.Error as error:
        raise BattleFileError(f"not CSV: {error}", line=reader.line_num) from error


def _record(row: Mapping[str, Any], *, line: int, digest: str) -> BattleRecord:
    """Return the battle of a row.

    Raises:
        BattleFileError: a field is missing or means nothing.
    """
    model_a, model_b = (_text(row, side, line) for side in ("model_a", "model_b"))
    if model_a == model_b:
        raise BattleFileError(f"{model_a!r} is on both sides", line=line)
    winner = _text(row, "winner", line)
    if winner not in WINNERS:
        known = ", ".join(WINNERS)
        raise BattleFileError(f"the winner {winner[:40]!r} is none of {known}", line=line)
    own_id = next((str(row[field]) for field in ID_FIELDS if row.get(field)), "")
    if len(own_id) > MOST_ID_CHARS:
        raise BattleFileError(f"its id has more than {MOST_ID_CHARS} characters", line=line)
    language = str(row.get("language") or "").strip().casefold()
    return BattleRecord(
        line=line,
        external_id=own_id or f"{digest}:{line}",
        model_a=model_a,
        model_b=model_b,
        winner=WINNERS[winner],
        language=LANGUAGE_CODES.get(language, language)[:MOST_LANGUAGE_CHARS] or "unknown",
        voted_at=_moment(row.get("tstamp"), line),
        is_counted=row.get("anony", True) not in {False, "False", "false"},
    )


def _text(row: Mapping[str, Any], field: str, line: int) -> str:
    """Return a field that must hold text."""
    value = row.get(field)
    if not isinstance(value, str) or not value.strip():
        raise BattleFileError(f"{field} is missing", line=line)
    return value.strip()


def _moment(value: Any, line: int) -> datetime | None:
    """Read seconds since 1970, or ISO 8601 with UTC where it names no zone."""
    if value in (None, ""):
        return None
    try:
        if isinstance(value, str) and not value.replace(".", "", 1).isdigit():
            moment = datetime.fromisoformat(value)
            return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return datetime.fromtimestamp(float(value), tz=UTC)
    except (TypeError, ValueError, OverflowError, OSError) as error:
        raise BattleFileError(f"tstamp {str(value)[:40]!r} is no time", line=line) from error
