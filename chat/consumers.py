"""The socket of the chat page, `/ws/chat/`."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import asdict
from typing import Any

from chat import dialogue
from chat.database import in_database
from chat.models import Conversation, Message
from chat.selectors import conversation_of, current_messages
from chat.sockets import Event, EventSocket, unknown_event
from inference.generation import Delta

FIELDS_OF_EVENTS = {
    "prompt": "a text, a model or a conversation, and params as an object if any",
    "regenerate": "a conversation, unless this socket has one",
    "stop": "a conversation, unless this socket has one",
    "resume": "a conversation and a seq that is a whole number from 0",
}


class ChatConsumer(EventSocket):
    """One visitor talking with one model."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.conversation_id = ""

    async def handle(self, event: Event) -> None:
        """Answer one event."""
        if isinstance(conversation_id := event.get("conversation"), str):
            self.conversation_id = conversation_id
        match event:
            case {"type": "prompt", "text": str(text), "conversation": str(conversation_id)}:
                model = event.get("model")
                await self.go_on(text, conversation_id, model if isinstance(model, str) else None)
            case {"type": "prompt", "text": str(text), "model": str(model)} if isinstance(
                event.get("params", {}), dict
            ):
                await self.begin(text, model, event.get("params", {}))
            case {"type": "regenerate"} if self.conversation_id:
                answer = await dialogue.ask_again(
                    self.visitor, conversation_id=self.conversation_id
                )
                await self.send_event({"type": "accepted"})
                await self.stream(answer_events(answer, from_seq=None))
            case {"type": "stop"} if self.conversation_id:
                await dialogue.stop(self.visitor, conversation_id=self.conversation_id)
            case {"type": "resume", "conversation": str(conversation_id), "seq": int(seq)} if (
                seq >= 0 and not isinstance(seq, bool)
            ):
                await self.resume(conversation_id, seq)
            case _:
                raise unknown_event(event, FIELDS_OF_EVENTS)

    async def begin(self, text: str, model: str, params: dict[str, Any]) -> None:
        """Start a conversation and stream its first answer."""
        answer = await dialogue.begin(self.visitor, text=text, model=model, params=params)
        self.conversation_id = answer.conversation.public_id
        await self.send_event(conversation_event(answer.conversation))
        await self.stream(answer_events(answer, from_seq=None))

    async def go_on(self, text: str, conversation_id: str, model: str | None) -> None:
        """Stream the next answer of a conversation."""
        answer = await dialogue.go_on(
            self.visitor, conversation_id=conversation_id, text=text, model=model
        )
        await self.send_event({"type": "accepted"})
        await self.stream(answer_events(answer, from_seq=None))

    async def resume(self, conversation_id: str, seq: int) -> None:
        """Show the conversation as it stands; stream what is being written from a token on."""
        event, answer = await in_database(self._state, conversation_id, seq)
        await self.stop_streaming()
        await self.send_event(event)
        if answer is not None:
            await self.stream(answer_events(answer, from_seq=seq))

    def _state(self, conversation_id: str, seq: int) -> tuple[Event, Message | None]:
        conversation = conversation_of(self.visitor, conversation_id)
        said = list(current_messages(conversation))
        event = conversation_event(conversation)
        event["messages"] = [message_state(message, seq=seq) for message in said]
        return event, next((message for message in said if message.is_open), None)


async def answer_events(answer: Message, *, from_seq: int | None) -> AsyncGenerator[Event, None]:
    """Yield the events that tell how an answer grows and ends."""
    async with aclosing(dialogue.stream_answer(answer, from_seq=from_seq)) as deltas:
        async for delta in deltas:
            for event in delta_events(delta):
                yield event


def delta_events(delta: Delta) -> list[Event]:
    """Return what a page is told about a delta: its text, and its end."""
    events: list[Event] = []
    if delta.pieces:
        events.append(
            {"type": "delta", "seq": delta.seq, "count": len(delta.pieces), "text": delta.text}
        )
    if delta.failure is not None:
        events.append({"type": "error", **asdict(delta.failure)})
    if delta.is_last and delta.failure is None:
        usage = asdict(delta.usage) if delta.usage else None
        events.append({"type": "done", "finish_reason": delta.finish_reason, "usage": usage})
    return events


def conversation_event(conversation: Conversation) -> Event:
    """Return the event that names a conversation."""
    return {
        "type": "conversation",
        "id": conversation.public_id,
        "title": conversation.title,
        "model": conversation.model.name,
    }


def message_state(message: Message, *, seq: int) -> Event:
    """Return a message as `resume` shows it.

    An open answer is shown without text: it follows as deltas from `seq` on.
    """
    if message.is_open:
        return {"role": message.role, "content": "", "finish_reason": None, "seq": seq}
    state = {"role": message.role, "content": message.content}
    if message.role == Message.Role.ASSISTANT:
        state["finish_reason"] = message.finish_reason or "error"
        state["error"] = message.error_code
    return state
