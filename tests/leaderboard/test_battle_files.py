import gzip
import io
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from leaderboard.battle_files import BattleRecord, read_battles, write_battles
from leaderboard.exceptions import BattleFileError
from leaderboard.rating.battles import Winner

GOOD = {"model_a": "A", "model_b": "B", "winner": "model_a"}


def read(path: Path, *, max_bytes: int = 10_000_000, max_rows: int = 1_000):
    return list(read_battles(path, max_bytes=max_bytes, max_rows=max_rows))


def lines_file(folder: Path, *rows: object) -> Path:
    path = folder / "battles.jsonl"
    path.write_text(
        "".join(row if isinstance(row, str) else json.dumps(row) + "\n" for row in rows),
        encoding="utf-8",
    )
    return path


def test_rows_of_the_published_form_are_read(tmp_path):
    row = GOOD | {
        "question_id": "58210e39",
        "winner": "tie (bothbad)",
        "judge": "arena_user_973",
        "anony": True,
        "language": "Chinese",
        "tstamp": 1682352004.5,
    }

    [record] = read(lines_file(tmp_path, row))

    assert record == BattleRecord(
        line=1,
        external_id="58210e39",
        model_a="A",
        model_b="B",
        winner=Winner.BOTH_BAD,
        language="zh",
        voted_at=datetime(2023, 4, 24, 16, 0, 4, 500_000, tzinfo=UTC),
        is_counted=True,
    )


@pytest.mark.parametrize(
    ("name", "winner"),
    [("model_a", "a"), ("model_b", "b"), ("tie", "tie"), ("tie (bothbad)", "both_bad")],
)
def test_the_four_winners_are_known(tmp_path, name, winner):
    [record] = read(lines_file(tmp_path, GOOD | {"winner": name}))

    assert record.winner == winner


def test_csv_and_packed_files_are_read_alike(tmp_path):
    text = "model_a,model_b,winner\nA,B,model_b\nB,C,tie\n"
    plain, packed = tmp_path / "votes.csv", tmp_path / "votes.csv.gz"
    plain.write_text(text, encoding="utf-8-sig")
    packed.write_bytes(gzip.compress(text.encode()))

    for path in (plain, packed):
        assert [(row.line, row.model_a, row.winner) for row in read(path)] == [
            (2, "A", "b"),
            (3, "B", "tie"),
        ]


def test_rows_without_an_id_are_named_by_file_and_line(tmp_path):
    path = lines_file(tmp_path, GOOD, GOOD)
    first, again = read(path), read(path)

    assert first[0].external_id != first[1].external_id
    assert [row.external_id for row in first] == [row.external_id for row in again]
    path.write_text(path.read_text() + json.dumps(GOOD) + "\n")
    assert read(path)[0].external_id != first[0].external_id


def test_what_is_written_is_read_back(tmp_path):
    records = [
        BattleRecord(
            line=line,
            external_id=f"id-{line}",
            model_a="A",
            model_b="模型",
            winner=winner,
            language="zh",
            voted_at=datetime(2026, 1, 2, 3, 4, 5, 678_901, tzinfo=UTC),
        )
        for line, winner in enumerate(Winner, start=1)
    ]
    for name, is_csv, first_line in (("x.jsonl", False, 1), ("x.csv", True, 2)):
        output = io.StringIO()

        assert write_battles(records, output, is_csv=is_csv) == 4

        path = tmp_path / name
        path.write_text(output.getvalue(), encoding="utf-8", newline="")
        back = read(path)
        assert [row.line for row in back] == list(range(first_line, first_line + 4))
        for field in ("external_id", "model_a", "model_b", "winner", "language", "voted_at"):
            assert [getattr(row, field) for row in back] == [getattr(row, field) for row in records]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("{broken\n", "line 2: not JSON"),
        ("[1, 2]\n", "line 2: not an object"),
        (GOOD | {"winner": "model_c"}, "line 2: the winner 'model_c' is none of"),
        (GOOD | {"model_b": "A"}, "line 2: 'A' is on both sides"),
        (GOOD | {"model_a": ""}, "line 2: model_a is missing"),
        (GOOD | {"model_a": 7}, "line 2: model_a is missing"),
        ({"model_a": "A", "model_b": "B"}, "line 2: winner is missing"),
        (GOOD | {"tstamp": "yesterday"}, "line 2: tstamp 'yesterday' is no time"),
        (GOOD | {"tstamp": 1e300}, "line 2: tstamp '1e\\+300' is no time"),
        (GOOD | {"question_id": "x" * 129}, "line 2: its id has more than 128"),
    ],
)
def test_a_bad_row_is_named_and_the_next_one_still_read(tmp_path, row, message):
    good, bad, after = read(lines_file(tmp_path, GOOD, row, GOOD))

    assert isinstance(good, BattleRecord)
    assert isinstance(after, BattleRecord)
    assert isinstance(bad, BattleFileError)
    with pytest.raises(BattleFileError, match=message):
        raise bad


def test_missing_columns_are_named_at_once(tmp_path):
    path = tmp_path / "votes.csv"
    path.write_text("model_a,who_won\nA,B\n")

    with pytest.raises(BattleFileError, match="line 1: the columns model_b, winner are missing"):
        read(path)


def test_a_csv_row_that_is_too_short_is_named(tmp_path):
    path = tmp_path / "votes.csv"
    path.write_text("model_a,model_b,winner\nA,B\nA,B,tie\n")

    bad, good = read(path)

    assert str(bad) == "line 2: winner is missing"
    assert good.winner == "tie"


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("votes.txt", b"", "none of .jsonl"),
        ("votes.gz", b"", "none of .jsonl"),
        ("votes.jsonl", b"\xff\xfe\x00", "not UTF-8"),
        ("votes.jsonl.gz", b"this is not gzip", "damaged"),
        ("votes.jsonl.gz", gzip.compress(b'{"a": 1}\n' * 100, mtime=0)[:-12], "damaged"),
        ("votes.csv", b'model_a,model_b,winner\nA,"B', "not CSV"),
        ("votes.jsonl", b"x" * 1_000_002, "longer than"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused(tmp_path, name, content, message):
    path = tmp_path / name
    path.write_bytes(content)

    with pytest.raises(BattleFileError, match=message):
        read(path)


def test_a_file_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(BattleFileError, match="cannot be read"):
        read(tmp_path / "missing.jsonl")


def test_files_are_bounded_in_rows_and_in_bytes_even_when_packed(tmp_path):
    bomb = tmp_path / "votes.jsonl.gz"
    bomb.write_bytes(gzip.compress((json.dumps(GOOD) + "\n").encode() * 50_000))

    with pytest.raises(BattleFileError, match="line 11: more than 10 battles"):
        read(bomb, max_rows=10)
    with pytest.raises(BattleFileError, match="more than 1000 bytes"):
        read(bomb, max_bytes=1_000, max_rows=10**9)
