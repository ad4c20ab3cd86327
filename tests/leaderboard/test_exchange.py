import json
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from arena.chain import verify_chain
from arena.models import Battle, Vote
from inference.models import LanguageModel
from leaderboard.categories import Board
from leaderboard.exceptions import BattleFileError, BattleRowsError
from leaderboard.exchange import import_battles
from leaderboard.selectors import board_named
from leaderboard.services import rebuild_board_counts
from tests.leaderboard.votes import cast_votes

pytestmark = pytest.mark.django_db

ROWS = [
    {
        "question_id": "1",
        "model_a": "A",
        "model_b": "B",
        "winner": "model_a",
        "language": "English",
    },
    {
        "question_id": "2",
        "model_a": "B",
        "model_b": "A",
        "winner": "model_a",
        "language": "Chinese",
    },
    {"question_id": "3", "model_a": "A", "model_b": "C", "winner": "tie", "tstamp": 1682352004},
]


@pytest.fixture
def battle_file(tmp_path) -> Path:
    path = tmp_path / "battles.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    return path


def append(path: Path, *rows: object) -> None:
    path.write_text(path.read_text() + "".join(json.dumps(row) + "\n" for row in rows))


def test_an_import_fills_the_boards_and_registers_the_models_out_of_the_arena(battle_file):
    report = import_battles(battle_file)

    assert (report.read, report.stored, report.known, report.bad) == (3, 3, 0, [])
    assert board_named(Board.OVERALL).scoreboard.votes == 3
    assert board_named(Board.ENGLISH).scoreboard.votes == 1
    assert board_named(Board.CHINESE).scoreboard.votes == 1
    assert not LanguageModel.objects.filter(is_in_arena=True).exists()
    assert not LanguageModel.objects.filter(is_listed=True).exists()


def test_a_model_that_is_known_keeps_its_card(battle_file):
    LanguageModel.objects.create(name="A", organisation="Maker", is_listed=True, is_in_arena=True)

    import_battles(battle_file)

    card = LanguageModel.objects.get(name="A")
    assert (card.organisation, card.is_in_arena) == ("Maker", True)


def test_importing_twice_stores_once(battle_file):
    import_battles(battle_file)
    append(battle_file, {**ROWS[0], "question_id": "4"})

    report = import_battles(battle_file)

    assert (report.read, report.stored, report.known) == (4, 1, 3)
    assert Vote.objects.count() == 4


def test_imported_votes_are_chained_like_any_other(battle_file):
    import_battles(battle_file)

    report = verify_chain()

    assert (report.length, report.broken_at) == (3, None)


def test_a_recount_after_an_import_has_nothing_to_correct(battle_file):
    import_battles(battle_file)

    assert rebuild_board_counts().corrected == 0


def test_battles_that_were_not_blind_are_left_out(battle_file):
    append(battle_file, {**ROWS[0], "question_id": "5", "anony": False})

    report = import_battles(battle_file)

    assert (report.stored, report.uncounted) == (3, 1)


def test_a_bad_row_anywhere_leaves_nothing_imported(battle_file):
    append(battle_file, {**ROWS[0], "question_id": "6", "winner": "nobody"})

    with pytest.raises(BattleRowsError) as caught:
        import_battles(battle_file)

    assert [row.line for row in caught.value.rows] == [4]
    assert not Battle.objects.exists()
    assert not LanguageModel.objects.exists()


def test_bad_rows_can_be_skipped(battle_file):
    append(battle_file, {**ROWS[0], "question_id": "7", "model_a": "no good name"})

    report = import_battles(battle_file, skips_bad_rows=True)

    assert report.stored == 3
    assert [row.line for row in report.bad] == [4]


def test_a_file_of_rubbish_is_given_up_early(battle_file, settings):
    settings.LEADERBOARD = {"import_max_bad_rows": 5, "import_batch": 2}
    append(battle_file, *[{"winner": "?"}] * 100)

    with pytest.raises(BattleRowsError) as caught:
        import_battles(battle_file, skips_bad_rows=True)

    assert len(caught.value.rows) < 10
    assert not Vote.objects.exists()


def test_a_file_that_breaks_off_leaves_nothing_imported(battle_file, settings):
    settings.LEADERBOARD = {"import_batch": 1}
    battle_file.write_bytes(battle_file.read_bytes() + b"\xff\xff\n")

    with pytest.raises(BattleFileError, match="not UTF-8"):
        import_battles(battle_file)

    assert not Vote.objects.exists()


def test_progress_is_told_after_each_batch(battle_file, settings):
    settings.LEADERBOARD = {"import_batch": 2}
    told: list[int] = []

    import_battles(battle_file, on_progress=told.append)

    assert told == [2, 3]


@pytest.mark.parametrize("name", ["votes.jsonl", "votes.csv", "votes.jsonl.gz", "votes.csv.gz"])
def test_an_export_read_back_here_changes_nothing(tmp_path, name):
    cast_votes("A B a, B A tie, C A both_bad, C B b")
    path = tmp_path / name
    call_command("export_battles", str(path), verbosity=0)

    report = import_battles(path)

    assert (report.read, report.stored, report.known) == (4, 0, 4)


def test_an_export_says_nothing_about_voters(tmp_path):
    vote = cast_votes("A B a")[0]
    path = tmp_path / "votes.jsonl"

    call_command("export_battles", str(path), verbosity=0)

    row = json.loads(path.read_text())
    assert row == {
        "battle_id": vote.battle.public_id,
        "model_a": "A",
        "model_b": "B",
        "winner": "model_a",
        "language": "en",
        "tstamp": vote.created_at.timestamp(),
    }


def test_an_export_never_overwrites(tmp_path):
    path = tmp_path / "votes.csv"
    path.write_text("precious")

    with pytest.raises(CommandError, match="exists already"):
        call_command("export_battles", str(path))

    assert path.read_text() == "precious"


def test_an_export_of_another_kind_is_refused(tmp_path):
    with pytest.raises(CommandError, match="must end in"):
        call_command("export_battles", str(tmp_path / "votes.pkl"))
