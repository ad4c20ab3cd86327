"""Turns live without a socket, are stored once, and end when nobody is left."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from asgiref.sync import sync_to_async

from chat import turns
from chat.models import Message
from chat.services import Outcome, finish_answer, start_conversation, store_prompt
from inference.exceptions import ModelUnavailableError
from inference.generation import FinishReason
from tests.support.scripted import NAMES
from tests.support.sockets import some_visitor

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("scripted")]


@pytest.fixture
def slowly(settings: Any) -> None:
    settings.INFERENCE = {**settings.INFERENCE, "scripted_token_delay_s": 0.03}


def store_question(cards: Any) -> Message:
    conversation = start_conversation(visitor=some_visitor(), model=cards[0])
    return store_prompt(conversation_id=conversation.pk, text="A question")


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(30):
        while not await condition():  # noqa: ASYNC110  (the database sets no event)
            await asyncio.sleep(0.02)


async def has_state(answer: Message, *states: str) -> bool:
    await answer.arefresh_from_db()
    return answer.state in states


async def test_a_turn_runs_to_its_end_without_a_watcher(cards: Any) -> None:
    answer = await sync_to_async(store_question)(cards)

    await turns.start_turn(answer)
    await until(lambda: has_state(answer, Message.State.DONE))

    assert answer.content.startswith("You said: A question.")
    assert answer.finish_reason == FinishReason.STOP
    assert answer.prompt_tokens
    assert answer.completion_tokens


async def test_who_has_seen_the_end_finds_it_stored(cards: Any) -> None:
    answer = await sync_to_async(store_question)(cards)
    await turns.start_turn(answer)

    texts = []
    async for delta in turns.watch_turn(answer):
        texts.append(delta.text)
        if delta.is_last:
            await answer.arefresh_from_db()
            assert answer.state == Message.State.DONE

    assert "".join(texts) == answer.content


async def test_a_growing_answer_is_stored_on_the_way(
    cards: Any, slowly: None, settings: Any
) -> None:
    settings.CHAT = {"save_every_s": 0.05}
    answer = await sync_to_async(store_question)(cards)
    await turns.start_turn(answer)

    await until(lambda: has_state(answer, Message.State.STREAMING))

    assert answer.content
    assert "You said: A question.".startswith(answer.content[:10])


async def test_another_process_takes_the_answer_over(cards: Any, slowly: None) -> None:
    answer = await sync_to_async(store_question)(cards)
    await turns.start_turn(answer)
    task = turns._turns[turns.request_id_of(answer)].task
    task.cancel()
    await asyncio.wait({task})

    texts = [delta.text async for delta in turns.watch_turn(answer)]

    await answer.arefresh_from_db()
    assert answer.state == Message.State.DONE
    assert answer.content == "".join(texts)


async def test_an_answer_nobody_watches_is_cancelled(cards: Any, settings: Any) -> None:
    settings.CHAT = {"abandoned_after_s": 0.2}
    settings.INFERENCE = {**settings.INFERENCE, "scripted_token_delay_s": 0.2}
    answer = await sync_to_async(store_question)(cards)

    await turns.start_turn(answer)
    await until(lambda: has_state(answer, Message.State.CANCELLED))

    assert "I hope" not in answer.content


async def test_an_answer_that_is_watched_goes_on(cards: Any, slowly: None, settings: Any) -> None:
    settings.CHAT = {"abandoned_after_s": 0.2}
    answer = await sync_to_async(store_question)(cards)
    await turns.start_turn(answer)

    last = [delta async for delta in turns.watch_turn(answer)][-1]

    assert last.finish_reason == FinishReason.STOP


async def test_a_model_that_cannot_be_asked_fails_the_answer(cards: Any, settings: Any) -> None:
    answer = await sync_to_async(store_question)(cards)
    settings.INFERENCE = {**settings.INFERENCE, "scripted_models": [NAMES[1]]}

    with pytest.raises(ModelUnavailableError):
        await turns.start_turn(answer)

    await answer.arefresh_from_db()
    assert (answer.state, answer.error_code) == (Message.State.FAILED, "no_worker")


async def test_an_answer_without_a_log_is_interrupted(cards: Any, settings: Any) -> None:
    settings.CHAT = {"expiry_grace_s": 0.0}
    answer = await sync_to_async(store_question)(cards)

    deltas = [delta async for delta in turns.watch_turn(answer, from_seq=7)]

    await answer.arefresh_from_db()
    assert deltas[-1].failure is not None
    assert deltas[-1].failure.code == turns.INTERRUPTED
    assert answer.state == Message.State.INTERRUPTED


async def test_the_first_outcome_wins(cards: Any) -> None:
    answer = await sync_to_async(store_question)(cards)
    finish = sync_to_async(finish_answer)

    first = await finish(message_id=answer.pk, outcome=Outcome(Message.State.DONE, "one"))
    second = await finish(message_id=answer.pk, outcome=Outcome(Message.State.FAILED, "two"))

    await answer.arefresh_from_db()
    assert (first, second) == (True, False)
    assert (answer.state, answer.content) == (Message.State.DONE, "one")
