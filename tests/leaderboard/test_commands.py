import json

import pytest
from django.core.management import CommandError, call_command

from leaderboard.models import PairCount
from tests.leaderboard.votes import cast_votes

pytestmark = pytest.mark.django_db


def test_the_board_is_printed_as_json_and_nothing_else(capsys):
    cast_votes("A B a, B A a, A B tie, A C a, C A tie")

    call_command("show_leaderboard", "--json")

    board = json.loads(capsys.readouterr().out)
    assert board["board"] == "overall"
    assert [line["model"] for line in board["models"]] == ["A", "B", "C"]
    assert set(board["models"][0]) >= {"model", "rating", "lower", "upper", "rank", "votes"}
    assert board["models"][0]["rank"] == [1, 3]


def test_the_board_is_printed_as_a_table(capsys):
    cast_votes("A B a, B A a, U A a")

    call_command("show_leaderboard", "--board", "english")

    head, *lines = capsys.readouterr().out.splitlines()
    assert head.split() == ["rank", "model", "rating", "95%", "interval", "votes"]
    assert [line.split()[1] for line in lines] == ["A", "B", "U"]
    assert lines[-1].split()[-2] == "–"


def test_a_board_without_votes_says_so(capsys):
    call_command("show_leaderboard", "--board", "chinese")

    assert "chinese has no votes" in capsys.readouterr().out


def test_an_unknown_board_is_refused():
    with pytest.raises(CommandError, match="invalid choice: 'klingon'"):
        call_command("show_leaderboard", "--board", "klingon")


def test_rebuilding_tells_what_it_corrected(capsys):
    cast_votes("A B a, B A a")
    PairCount.objects.filter(board="overall").update(ties=5)

    call_command("rebuild_leaderboard")

    assert capsys.readouterr().out == "2 votes counted, 1 counters corrected\n"


def test_an_import_reports_what_it_did(tmp_path, capsys):
    path = tmp_path / "votes.csv"
    path.write_text("model_a,model_b,winner\nA,B,model_a\nA,B,nobody\n")

    call_command("import_battles", str(path), "--skip-bad-rows")

    captured = capsys.readouterr()
    assert captured.out == (
        "2 rows: 1 votes stored, 0 known already, 0 left out as uncounted, 1 bad\n"
    )
    assert "line 3: the winner 'nobody'" in captured.err


def test_a_refused_import_names_the_first_bad_lines(tmp_path, capsys):
    path = tmp_path / "votes.csv"
    path.write_text("model_a,model_b,winner\n" + "A,B,nobody\n" * 30)

    with pytest.raises(CommandError, match="30 rows are no battles; nothing was imported"):
        call_command("import_battles", str(path))

    errors = capsys.readouterr().err.splitlines()
    assert errors[0].startswith("line 2:")
    assert errors[-1] == "and 10 more"


def test_a_file_that_cannot_be_read_is_one_sentence(tmp_path):
    with pytest.raises(CommandError, match=r"^nothing\.csv: .* cannot be read"):
        call_command("import_battles", str(tmp_path / "nothing.csv"))
