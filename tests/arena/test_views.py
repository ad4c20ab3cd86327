"""The battle page: what it sets, and what it does not tell."""

import pytest
from django.test import Client

from chat.visitors import SESSION_ENTRY
from tests.support.scripted import NAMES

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("scripted", "cards")]


def test_the_page_makes_a_visitor_and_names_no_model(client: Client) -> None:
    response = client.get("/")

    shown = response.content.decode() + repr(response.headers)
    assert response.status_code == 200
    assert SESSION_ENTRY in client.session
    assert response.context["max_prompt_chars"] == 12_000
    assert not [name for name in NAMES if name in shown]


def test_the_page_is_only_read(client: Client) -> None:
    assert client.post("/").status_code == 405
