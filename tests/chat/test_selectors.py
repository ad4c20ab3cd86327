"""Reads of conversations: whose they are, what a model is given, how many queries."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from pytest_django.fixtures import DjangoAssertNumQueries

from chat.exceptions import ConversationNotFoundError
from chat.models import Conversation, Message
from chat.selectors import (
    conversation_of,
    conversations_of,
    current_messages,
    generation_request,
    open_answers_of,
)
from chat.services import (
    Outcome,
    delete_conversation,
    finish_answer,
    start_conversation,
    store_prompt,
    store_retry,
)
from chat.visitors import Visitor
from tests.support.scripted import NAMES
from tests.support.sockets import some_visitor

pytestmark = pytest.mark.django_db
VISITOR = some_visitor()


def said(conversation: Conversation, prompt: str, answer: str) -> None:
    message = store_prompt(conversation_id=conversation.pk, text=prompt)
    state = Message.State.DONE if answer else Message.State.FAILED
    finish_answer(message_id=message.pk, outcome=Outcome(state, answer))


def test_the_history_has_the_visitors_chats_and_no_side_of_a_battle(
    cards: Any, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for _ in range(3):
        start_conversation(visitor=VISITOR, model=cards[0])
    start_conversation(visitor=some_visitor("w"), model=cards[0])
    start_conversation(visitor=VISITOR, model=cards[0], purpose=Conversation.Purpose.BATTLE)
    delete_conversation(conversation=start_conversation(visitor=VISITOR, model=cards[0]))

    with django_assert_num_queries(1):
        names = [conversation.model.name for conversation in conversations_of(VISITOR)]

    assert names == [NAMES[0]] * 3


def test_the_side_of_a_battle_is_no_chat(cards: Any) -> None:
    side = start_conversation(visitor=VISITOR, model=cards[0], purpose=Conversation.Purpose.BATTLE)

    with pytest.raises(ConversationNotFoundError):
        conversation_of(VISITOR, side.public_id)


def test_an_account_finds_its_chats_from_another_browser(cards: Any) -> None:
    user = User.objects.create_user("ada")
    there = Visitor(key="1" * 32, network="n", user_id=user.pk)
    here = Visitor(key="2" * 32, network="n", user_id=user.pk)
    conversation = start_conversation(visitor=there, model=cards[0])

    assert conversation_of(here, conversation.public_id) == conversation
    with pytest.raises(ConversationNotFoundError):
        conversation_of(some_visitor("w"), conversation.public_id)


def test_a_model_is_given_the_current_words_in_turn(
    cards: Any, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    conversation = start_conversation(visitor=VISITOR, model=cards[0], params={"temperature": 0.1})
    said(conversation, "One", "first")
    said(conversation, "lost", "")
    said(conversation, "Two", "old")
    retry = store_retry(conversation_id=conversation.pk)
    finish_answer(message_id=retry.pk, outcome=Outcome(Message.State.DONE, "new"))
    answer = store_prompt(conversation_id=conversation.pk, text="Three")

    with django_assert_num_queries(2):
        request = generation_request(answer)

    assert [(m.role.value, m.content) for m in request.messages] == [
        ("user", "One"),
        ("assistant", "first"),
        ("user", "Two"),
        ("assistant", "new"),
        ("user", "Three"),
    ]
    assert request.model == NAMES[0]
    assert request.request_id == answer.request_id
    assert request.params.temperature == 0.1
    assert request.params.max_tokens == 1024


def test_an_answer_asked_for_again_is_not_shown_to_the_model(cards: Any) -> None:
    conversation = start_conversation(visitor=VISITOR, model=cards[0])
    said(conversation, "One", "first")

    request = generation_request(store_retry(conversation_id=conversation.pk))

    assert [message.content for message in request.messages] == ["One"]


def test_messages_are_read_with_one_query(
    cards: Any, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    conversation = start_conversation(visitor=VISITOR, model=cards[0])
    for number in range(5):
        said(conversation, f"p{number}", f"a{number}")

    with django_assert_num_queries(1):
        texts = [message.content for message in current_messages(conversation)]

    assert texts == [text for n in range(5) for text in (f"p{n}", f"a{n}")]


def test_open_answers_are_counted_by_visitor(cards: Any) -> None:
    for visitor in (VISITOR, VISITOR, some_visitor("w")):
        conversation = start_conversation(visitor=visitor, model=cards[0])
        store_prompt(conversation_id=conversation.pk, text="Hi")

    assert open_answers_of(VISITOR).count() == 2
