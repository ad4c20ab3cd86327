"""The chat pages: history, titles, exports, and doors that stay closed."""

from typing import Any

import pytest
from django.test import Client

from chat.models import Conversation, Message
from chat.selectors import conversations_of
from chat.services import Outcome, finish_answer, start_conversation, store_prompt
from chat.visitors import SESSION_ENTRY, Visitor, visitor_of_scope
from inference.exceptions import BusUnavailableError
from tests.support.scripted import NAMES

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("scripted", "cards")]


def visitor_of(client: Client) -> Visitor:
    return visitor_of_scope({"session": client.session, "client": ("127.0.0.1", 1)})


@pytest.fixture
def visited(client: Client) -> Client:
    client.get("/chat/")
    return client


@pytest.fixture
def conversation(visited: Client, cards: Any) -> Conversation:
    conversation = start_conversation(visitor=visitor_of(visited), model=cards[0])
    answer = store_prompt(conversation_id=conversation.pk, text="Hello <b>you</b>")
    finish_answer(message_id=answer.pk, outcome=Outcome(Message.State.DONE, "你好 & welcome"))
    conversation.refresh_from_db()
    return conversation


def test_the_first_visit_makes_a_visitor(client: Client) -> None:
    response = client.get("/chat/")

    assert response.status_code == 200
    assert SESSION_ENTRY in client.session
    assert response.context["models"][0].name == NAMES[0]
    assert response.context["models"][0].is_live


def test_the_history_can_be_read_without_a_bus(
    visited: Client, conversation: Conversation, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def unreachable() -> frozenset[str]:
        raise BusUnavailableError("gone")

    monkeypatch.setattr("inference.client.live_models", unreachable)

    response = visited.get(f"/chat/{conversation.public_id}/")

    assert response.status_code == 200
    assert not any(model.is_live for model in response.context["models"])


def test_a_conversation_has_its_page(visited: Client, conversation: Conversation) -> None:
    response = visited.get(f"/chat/{conversation.public_id}/")

    assert response.status_code == 200
    assert response.context["conversation"] == conversation
    assert [message.content for message in response.context["messages"]] == [
        "Hello <b>you</b>",
        "你好 & welcome",
    ]
    assert "<b>you</b>" not in response.content.decode()


def test_a_conversation_can_be_renamed_and_deleted(
    visited: Client, conversation: Conversation
) -> None:
    renamed = visited.post(f"/chat/{conversation.public_id}/rename/", {"title": " New name "})
    conversation.refresh_from_db()
    deleted = visited.post(f"/chat/{conversation.public_id}/delete/")

    assert (renamed.status_code, conversation.title) == (302, "New name")
    assert deleted.status_code == 302
    assert not conversations_of(visitor_of(visited)).exists()
    assert visited.get(f"/chat/{conversation.public_id}/").status_code == 404


def test_a_conversation_can_be_taken_along(visited: Client, conversation: Conversation) -> None:
    document = visited.get(f"/chat/{conversation.public_id}/export.json")
    markdown = visited.get(f"/chat/{conversation.public_id}/export.md")

    assert "attachment" in document["Content-Disposition"]
    assert document.json()["model"] == NAMES[0]
    assert [entry["content"] for entry in document.json()["messages"]] == [
        "Hello <b>you</b>",
        "你好 & welcome",
    ]
    assert markdown["Content-Type"] == "text/markdown; charset=utf-8"
    assert "你好 & welcome" in markdown.content.decode()


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("get", ""),
        ("post", "rename/"),
        ("post", "delete/"),
        ("get", "export.json"),
        ("get", "export.md"),
    ],
)
def test_nobody_else_gets_in(conversation: Conversation, method: str, path: str) -> None:
    stranger = Client()

    response = getattr(stranger, method)(f"/chat/{conversation.public_id}/{path}")

    assert response.status_code == 404
    conversation.refresh_from_db()
    assert conversation.deleted_at is None
    assert conversation.title == "Hello <b>you</b>"


@pytest.mark.parametrize("path", ["nonsense/", "0/", "F" * 32 + "/", "f" * 33 + "/"])
def test_an_address_that_is_no_conversation_is_not_found(visited: Client, path: str) -> None:
    assert visited.get(f"/chat/{path}").status_code == 404


def test_a_change_needs_the_token_of_the_page(conversation: Conversation, visited: Client) -> None:
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = visited.cookies

    response = strict.post(f"/chat/{conversation.public_id}/delete/")

    assert response.status_code == 403
    conversation.refresh_from_db()
    assert conversation.deleted_at is None
