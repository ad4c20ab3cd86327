"""The words of OpenAI's chat completions: messages as they are sent, chunks as they come.

Source:
    https://platform.openai.com/docs/api-reference/chat, and the types of openai-python 3.54.
"""

import base64
from collections.abc import Iterable, Mapping
from typing import Any

from inference.generation import FinishReason
from inference.messages import ImagePart, Message, TextPart
from inference.providers.dialect import Piece
from inference.providers.reading import count_at, usage_of
from inference.providers.wire.faults import fault, fault_of_event

FINISH_REASONS = {
    "stop": FinishReason.STOP,
    "eos": FinishReason.STOP,
    "eos_token": FinishReason.STOP,
    "stop_sequence": FinishReason.STOP,
    "length": FinishReason.LENGTH,
    "max_tokens": FinishReason.LENGTH,
}


def wire_message(message: Message) -> dict[str, Any]:
    """Return a message as the API wants it: a string, or parts with images as data URLs."""
    if not message.parts:
        return {"role": message.role.value, "content": message.content}
    content = [
        {"type": "text", "text": part.text} if isinstance(part, TextPart) else wire_image(part)
        for part in message.parts
    ]
    return {"role": message.role.value, "content": content}


def wire_image(image: ImagePart) -> dict[str, Any]:
    """Return an image inside the request, so that no server fetches anything."""
    encoded = base64.b64encode(image.data).decode()
    return {
        "type": "image_url",
        "image_url": {"url": f"data:{image.media_type};base64,{encoded}"},
    }


def pieces_of(chunk: Mapping[str, Any]) -> Iterable[Piece]:
    """Yield what a chunk of a stream, or a whole completion, adds.

    What a model thinks before it answers (`reasoning_content`) is not part of the answer.

    Raises:
        ProviderError: the chunk is an error, or has not the documented shape.
    """
    if chunk.get("error") or chunk.get("object") == "error":
        raise fault_of_event(chunk)
    choices = chunk.get("choices") or []
    try:
        for choice in choices[:1]:
            said = choice.get("delta") or choice.get("message") or {}
            text = said.get("content") or said.get("refusal") or ""
            yield Piece(text=text_of(text), finish_reason=finish_reason_of(choice))
        if usage := chunk.get("usage"):
            yield Piece(
                usage=usage_of(
                    prompt=count_at(usage, "prompt_tokens"),
                    completion=count_at(usage, "completion_tokens"),
                    cached=count_at(usage, "prompt_tokens_details", "cached_tokens"),
                )
            )
    except (AttributeError, TypeError, KeyError, ValueError):
        raise fault("provider_protocol", f"unknown shape: {str(chunk)[:200]}") from None


def text_of(content: Any) -> str:
    """Return the text of a content that is a string or a list of parts."""
    if isinstance(content, list):
        return "".join(part["text"] for part in content if part.get("type") == "text")
    if not isinstance(content, str):
        raise TypeError("content is not text")
    return content


def finish_reason_of(choice: Mapping[str, Any]) -> FinishReason | None:
    """Return why a choice ended; None while it goes on.

    Raises:
        ProviderError: a filter or a failure ended it.
    """
    reason = choice.get("finish_reason")
    if reason == "content_filter":
        raise fault("content_filtered", "finish_reason content_filter")
    if reason == "error":
        raise fault("provider_cut_off", "finish_reason error")
    return FINISH_REASONS.get(reason, FinishReason.STOP) if reason else None
