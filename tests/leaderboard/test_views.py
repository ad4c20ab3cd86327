import re

import pytest

from tests.leaderboard.rating.samples import TEN_BATTLES
from tests.leaderboard.votes import cast_votes, model_named

pytestmark = pytest.mark.django_db


def model_order(page: str) -> list[str]:
    table = page[page.index('class="board-table"') : page.index("</table>")]
    return [name.strip() for name in re.findall(r'class="column-model">\s*([A-Z])', table)]


def test_without_votes_the_page_invites_to_vote(client):
    response = client.get("/leaderboard/")

    assert response.status_code == 200
    assert "No votes here yet" in response.text
    assert "<table" not in response.text


def test_the_page_shows_ranks_ratings_intervals_and_votes(client):
    cast_votes(TEN_BATTLES)

    page = client.get("/leaderboard/").text

    assert model_order(page) == ["A", "B", "C"]
    assert "1069" in page
    assert "10 votes" in page
    assert re.search(r"<title>1069, with 95% confidence between -?\d+ and \d+\s*</title>", page)


def test_a_vote_shows_on_the_next_view(client):
    cast_votes("A B a, B A a")
    client.get("/leaderboard/")

    cast_votes("A B a")

    assert "3 votes" in client.get("/leaderboard/").text


@pytest.mark.parametrize(
    ("query", "order"),
    [
        ("", "ABC"),
        ("?sort=rating&order=asc", "CBA"),
        ("?sort=model&order=desc", "CBA"),
        ("?sort=votes", "ACB"),
        ("?sort=rank&order=desc", "CBA"),
        ("?sort=interval", "ACB"),
    ],
)
def test_columns_sort_by_links_alone(client, query, order):
    cast_votes("A B a, B A tie, A C a, C A tie, A C a, B C a, C A a, A B a")

    assert "".join(model_order(client.get(f"/leaderboard/{query}").text)) == order


def test_the_sorted_column_says_so_and_its_link_turns_the_order(client):
    cast_votes("A B tie")

    page = client.get("/leaderboard/?sort=votes").text

    assert 'class="column-votes" aria-sort="descending"' in page
    assert "?board=overall&amp;sort=votes&amp;order=asc" in page


def test_boards_are_links(client):
    cast_votes("A B tie", language="zh")

    assert "1 vote" in client.get("/leaderboard/?board=chinese").text
    assert "No votes here yet" in client.get("/leaderboard/?board=english").text


@pytest.mark.parametrize("query", ["board=klingon", "sort=password", f"board={'x' * 5000}"])
def test_unknown_boards_and_columns_are_not_found(client, query):
    assert client.get(f"/leaderboard/?{query}").status_code == 404


def test_an_unbounded_model_is_marked_as_provisional(client):
    cast_votes("A B tie, U A a")

    page = client.get("/leaderboard/").text

    assert page.count('<span class="badge">provisional</span>') == 1
    assert "the votes give no upper end" in page
    assert "Infinity" not in page
    assert not re.search(r"\b(nan|inf)\b", page)


def test_the_maps_hold_predicted_rates_and_battles(client):
    cast_votes("A B a, A B a, A B a, A B b")

    page = client.get("/leaderboard/").text

    assert re.search(r'<td class="heat-\d+" title="A – B">75</td>', page)
    assert re.search(r'<td class="heat-\d+" title="B – A">25</td>', page)
    assert re.search(r'<td class="heat-10" title="A – B">4</td>', page)


def test_the_maps_are_bounded(client, settings):
    settings.LEADERBOARD = {"heat_map_models": 2}
    cast_votes(TEN_BATTLES)

    page = client.get("/leaderboard/").text

    assert page.count('title="A – B"') == 2
    assert 'title="A – C"' not in page


def test_names_from_people_are_escaped(client):
    card = model_named("A")
    card.title, card.organisation = "<script>alert(1)</script>", "<b>bold</b>"
    card.save()
    cast_votes("A B tie")

    page = client.get("/leaderboard/").text

    assert "<script>alert" not in page
    assert "<b>bold" not in page


def test_the_page_keeps_the_strict_policy(client):
    cast_votes(TEN_BATTLES)

    page = client.get("/leaderboard/").text

    assert " style=" not in page
    assert "<style" not in page
    assert not re.search(r"<script(?![^>]*\bsrc=)", page)
    assert not re.search(r'\son\w+="', page)


def test_reading_the_page_costs_a_few_queries(client, django_assert_max_num_queries):
    cast_votes(TEN_BATTLES)

    with django_assert_max_num_queries(4):
        client.get("/leaderboard/")
