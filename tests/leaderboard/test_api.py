import csv
import io
import json

import pytest
from django.core.management import call_command

from tests.leaderboard.rating.samples import TEN_BATTLES
from tests.leaderboard.votes import cast_votes

pytestmark = pytest.mark.django_db


def test_the_api_says_what_the_command_says(client, capsys):
    cast_votes(TEN_BATTLES)
    call_command("show_leaderboard", "--json")

    response = client.get("/api/leaderboard/")

    assert response.status_code == 200
    assert response.json() == json.loads(capsys.readouterr().out)


def test_the_board_comes_as_csv(client):
    cast_votes("A B tie, U A a")

    response = client.get("/api/leaderboard/?format=csv")

    assert response["content-type"] == "text/csv; charset=utf-8"
    rows = list(csv.DictReader(io.StringIO(response.text)))
    assert [row["model"] for row in rows] == ["A", "B", "U"]
    assert rows[2]["upper"] == ""
    assert rows[2]["standing"] == "above"
    assert rows[0]["best_rank"] == "1"


def test_csv_can_be_asked_for_by_header(client):
    cast_votes("A B tie")

    response = client.get("/api/leaderboard/", headers={"accept": "text/csv"})

    assert response.text.startswith("model,rating,lower,upper")


@pytest.mark.parametrize("shape", ["json", "csv"])
def test_an_unknown_board_is_not_found(client, shape):
    response = client.get(f"/api/leaderboard/?board=klingon&format={shape}")

    assert response.status_code == 404
    assert "there is no board 'klingon'" in response.text


def test_an_empty_board_is_an_empty_list(client):
    assert client.get("/api/leaderboard/?board=chinese").json() == {
        "board": "chinese",
        "models": [],
    }


def test_the_board_can_only_be_read(client):
    assert client.post("/api/leaderboard/", {}).status_code == 405
