"""Images in chat templates: as parts of a message, or as a marker in its text."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from inference.chat_templates.environment import render_source
from inference.exceptions import InvalidRequestError
from inference.messages import ImagePart, Message

PROBE = "\N{WHITE SQUARE}words\N{WHITE SQUARE}"


def template_messages(
    source: str, messages: Sequence[Message], marker: str
) -> list[dict[str, Any]]:
    """Return messages in the form that a tokenizer's or processor's template reads.

    Templates of vision models read a message as the list of its parts, some of them only so: a
    plain text would vanish from the prompt without a word. Others know texts alone; there a
    marker stands where the image is.

    Args:
        source: the Jinja text.
        messages: the conversation.
        marker: stands for an image where the template knows none.
    """
    shows_texts, shows_parts = _shows_texts(source), _shows_parts(source)
    return [
        _as_parts(message)
        if shows_parts and (message.parts or not shows_texts)
        else marked(message, marker).as_template_dict()
        for message in messages
    ]


def marked(message: Message, marker: str) -> Message:
    """Return the message as text alone, a marker on a line of its own where an image was."""
    if not message.parts:
        return message
    lines = [marker if isinstance(part, ImagePart) else part.text for part in message.parts]
    return message.with_content("\n".join(lines))


def _as_parts(message: Message) -> dict[str, Any]:
    data = message.as_template_dict()
    if isinstance(data["content"], str):
        data["content"] = [{"type": "text", "text": data["content"]}]
    return data


@lru_cache(maxsize=256)
def _shows_texts(source: str) -> bool:
    return PROBE in _try(source, PROBE)


@lru_cache(maxsize=256)
def _shows_parts(source: str) -> bool:
    """Whether text beside an image comes out, and not as the list written down."""
    shown = _try(source, [{"type": "image"}, {"type": "text", "text": PROBE}])
    return PROBE in shown and "{'type'" not in shown


def _try(source: str, content: Any) -> str:
    """Render one message; "" where the template refuses it."""
    try:
        return render_source(
            source, messages=[{"role": "user", "content": content}], add_generation_prompt=False
        )
    except InvalidRequestError:
        return ""
