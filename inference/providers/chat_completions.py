"""The words of OpenAI's chat completions: messages as they are sent, chunks as they come.

Source:
    https://platform.openai.com/docs/api-reference/chat, and the types of openai-python 3.54.
"""

import base64
from collections.abc import Iterable, Mapping
from typing import Any

from inference.generation import FinishReason, GenerationRequest
from inference.messages import ImagePart, Message, TextPart
from inference.providers.call_writer import CallWriter
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
    wire: dict[str, Any] = {"role": message.role.value, "content": message.content}
    if message.parts:
        wire["content"] = [
            {"type": "text", "text": part.text} if isinstance(part, TextPart) else wire_image(part)
            for part in message.parts
        ]
    if message.tool_calls:
        wire["content"] = message.content or None
        wire["tool_calls"] = [
            {
                "id": call.id,
                "type": "function",
                "function": {"name": call.name, "arguments": call.arguments},
            }
            for call in message.tool_calls
        ]
    if message.tool_call_id:
        wire["tool_call_id"] = message.tool_call_id
    return wire


def wire_tools(request: GenerationRequest) -> dict[str, Any]:
    """Return the fields that offer functions and, where the request forces a call, ask for it."""
    if not request.tools:
        return {}
    wire: dict[str, Any] = {"tools": [dict(tool) for tool in request.tools]}
    if not is_forced(request):
        return wire
    grammar = request.params.grammar or {}
    names = [function["name"] for function in grammar["functions"]]
    wire["tool_choice"] = "required"
    if len(names) == 1:
        wire["tool_choice"] = {"type": "function", "function": {"name": names[0]}}
    elif grammar["most"] == 1:
        wire["parallel_tool_calls"] = False
    return wire


def is_forced(request: GenerationRequest) -> bool:
    """Tell whether a call must be made."""
    grammar = request.params.grammar
    return grammar is not None and grammar["type"] == "calls"


def wire_image(image: ImagePart) -> dict[str, Any]:
    """Return an image inside the request, so that no server fetches anything."""
    encoded = base64.b64encode(image.data).decode()
    return {
        "type": "image_url",
        "image_url": {"url": f"data:{image.media_type};base64,{encoded}"},
    }


def pieces_of(chunk: Mapping[str, Any], calls: CallWriter | None = None) -> Iterable[Piece]:
    """Yield what a chunk of a stream, or a whole completion, adds.

    What a model thinks before it answers (`reasoning_content`) is not part of the answer. Calls
    of functions become text where there is a writer for them.

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
            text, reason = text_of(text), finish_reason_of(choice)
            if calls is not None:
                text += calls.write(said.get("tool_calls") or ())
                text += calls.close() if reason is not None else ""
            yield Piece(text=text, finish_reason=reason)
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
