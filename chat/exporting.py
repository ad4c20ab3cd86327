"""A conversation as a document of its owner: JSON with every version, Markdown to read."""

from typing import Any

from chat.models import Conversation, Message
from chat.selectors import current_messages

FORMAT_VERSION = 1


def as_document(conversation: Conversation) -> dict[str, Any]:
    """Return the whole conversation as plain data, older versions of answers included."""
    return {
        "format": FORMAT_VERSION,
        "id": conversation.public_id,
        "title": conversation.title,
        "model": conversation.model.name,
        "params": conversation.params,
        "created_at": conversation.created_at.isoformat(),
        "messages": [_as_entry(message) for message in conversation.messages.all()],
    }


def as_markdown(conversation: Conversation) -> str:
    """Return what counts of a conversation, a heading for each speaker."""
    parts = [f"# {conversation.title or conversation.public_id}"]
    for message in current_messages(conversation):
        is_answer = message.role == Message.Role.ASSISTANT
        speaker = conversation.model.name if is_answer else message.get_role_display()
        parts.append(f"## {speaker}\n\n{message.content}")
    return "\n\n".join(parts) + "\n"


def _as_entry(message: Message) -> dict[str, Any]:
    return {
        "position": message.position,
        "version": message.version,
        "is_current": message.is_current,
        "role": message.role,
        "content": message.content,
        "state": message.state,
        "finish_reason": message.finish_reason or None,
        "prompt_tokens": message.prompt_tokens,
        "completion_tokens": message.completion_tokens,
        "created_at": message.created_at.isoformat(),
    }
