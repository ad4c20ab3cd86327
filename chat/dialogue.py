"""What a visitor does in a direct chat: prompt, ask again, stop, come back."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Any

from chat.admission import admit_prompt
from chat.conf import chat_settings
from chat.database import in_database
from chat.exceptions import InvalidParameterError
from chat.models import Message
from chat.policy import checked_params, checked_prompt
from chat.selectors import conversation_of, default_params, open_answer
from chat.services import start_conversation, store_prompt, store_retry
from chat.turns import start_turn, stop_turn, watch_turn
from chat.visitors import Visitor
from inference import client
from inference.exceptions import ModelNotFoundError, ModelUnavailableError
from inference.generation import Delta
from inference.models import LanguageModel
from inference.selectors import listed_models


async def begin(visitor: Visitor, *, text: str, model: str, params: Mapping[str, Any]) -> Message:
    """Store the first prompt of a new conversation; return the open answer.

    Raises:
        ChatError: the visitor, the prompt or the parameters are refused.
        ModelNotFoundError: there is no such model for visitors.
        ModelUnavailableError: nothing serves it now.
    """
    card = await in_database(_listed_model, model)
    if model not in await client.live_models():
        raise ModelUnavailableError(model)
    return await in_database(_begin, visitor, text, card, params)


async def go_on(visitor: Visitor, *, conversation_id: str, text: str, model: str | None) -> Message:
    """Store a further prompt; return the open answer.

    Raises:
        ChatError: the visitor, the prompt or the conversation is refused.
    """
    return await in_database(_go_on, visitor, conversation_id, text, model)


async def ask_again(visitor: Visitor, *, conversation_id: str) -> Message:
    """Store a new version of the last answer; return it, open.

    Raises:
        ChatError: the visitor or the conversation is refused.
    """
    return await in_database(_ask_again, visitor, conversation_id)


async def stop(visitor: Visitor, *, conversation_id: str) -> None:
    """End the answer that is being written, if there is one.

    Raises:
        ConversationNotFoundError: there is no such conversation.
        BusUnavailableError: the wish could not be passed on.
    """
    answer = await in_database(_open_answer, visitor, conversation_id)
    if answer is not None:
        await stop_turn(answer)


async def stream_answer(answer: Message, *, from_seq: int | None) -> AsyncGenerator[Delta, None]:
    """Yield the deltas of an answer; `from_seq` None asks the model first.

    Raises:
        InferenceError: the model cannot be asked now.
    """
    if from_seq is None:
        await start_turn(answer)
    async with aclosing(watch_turn(answer, from_seq=from_seq or 0)) as deltas:
        async for delta in deltas:
            yield delta


def _listed_model(name: str) -> LanguageModel:
    card = listed_models().filter(name=name).first() if name.isprintable() else None
    if card is None:
        raise ModelNotFoundError(name)
    return card


def _begin(visitor: Visitor, text: str, model: LanguageModel, params: Mapping[str, Any]) -> Message:
    limits = chat_settings()
    prompt = checked_prompt(text, max_chars=limits.max_prompt_chars)
    checked_params(params, defaults=default_params(), max_tokens_limit=limits.max_tokens_limit)
    admit_prompt(visitor, answer_count=1)
    conversation = start_conversation(visitor=visitor, model=model, params=dict(params))
    return store_prompt(conversation_id=conversation.pk, text=prompt)


def _go_on(visitor: Visitor, conversation_id: str, text: str, model: str | None) -> Message:
    prompt = checked_prompt(text, max_chars=chat_settings().max_prompt_chars)
    conversation = conversation_of(visitor, conversation_id)
    if model is not None and model != conversation.model.name:
        raise InvalidParameterError("a conversation keeps its model; start a new one")
    admit_prompt(visitor, answer_count=1)
    return store_prompt(conversation_id=conversation.pk, text=prompt)


def _ask_again(visitor: Visitor, conversation_id: str) -> Message:
    conversation = conversation_of(visitor, conversation_id)
    admit_prompt(visitor, answer_count=1)
    return store_retry(conversation_id=conversation.pk)


def _open_answer(visitor: Visitor, conversation_id: str) -> Message | None:
    return open_answer(conversation_of(visitor, conversation_id))
