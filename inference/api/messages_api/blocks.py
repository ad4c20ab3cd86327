"""Messages of Anthropic's API: what their blocks say in the words of a conversation.

Text, images, calls of functions and their results are read; thinking of other models is left out,
since no model here can read it. `cache_control` changes no answer and is not looked at.

Source: https://platform.claude.com/docs/en/api/messages
"""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from rest_framework import serializers

from inference.api import limits
from inference.api.bounds import check_conversation
from inference.api.fields import TextField
from inference.api.functions import refused
from inference.api.image_fields import read_image
from inference.api.tool_fields import FUNCTION_NAME
from inference.messages import ImagePart, Message, Part, Role, TextPart, ToolCall

ROLES = {"user": Role.USER, "assistant": Role.ASSISTANT}
UNREAD = ("thinking", "redacted_thinking")
FAILED = "Error: "
"""What stands in front of the result of a function that failed."""

_text = TextField(allow_blank=True, max_length=limits.MAX_PROMPT_CHARS)


def read_conversation(system: Any, data: Any) -> tuple[Message, ...]:
    """Return the system text and the turns as messages.

    Raises:
        ValidationError: a turn is malformed, not supported, or there is too much.
    """
    if not isinstance(data, list) or not 1 <= len(data) <= limits.MAX_MESSAGES:
        raise refused(
            "messages", f"This must be a list of 1 to {limits.MAX_MESSAGES}.", "invalid_type"
        )
    messages: list[Message] = []
    if system is not None:
        messages.append(Message.of_parts(Role.SYSTEM, _texts(system, param="system")))
    names: dict[str, str] = {}
    for place, turn in enumerate(data):
        for message in _turn(turn, param=f"messages[{place}]"):
            names |= {call.id: call.name for call in message.tool_calls}
            if message.role is Role.TOOL and message.tool_call_id not in names:
                raise refused(
                    f"messages[{place}].content",
                    f"No tool_use has the id {message.tool_call_id!r}.",
                )
            messages.append(replace(message, name=names.get(message.tool_call_id, "")))
    check_conversation(messages, param="messages")
    return tuple(messages)


def _turn(turn: Any, *, param: str) -> list[Message]:
    """Return what a turn says: results of functions first, each a message of its own."""
    name = turn.get("role") if isinstance(turn, Mapping) else None
    role = ROLES.get(name) if isinstance(name, str) else None
    if role is None:
        raise refused(f"{param}.role", "This must be user or assistant.", "invalid_choice")
    blocks = _blocks(turn.get("content"), param=f"{param}.content")
    parts: list[Part] = []
    results: list[Message] = []
    calls: list[ToolCall] = []
    for place, block in enumerate(blocks):
        there = f"{param}.content[{place}]"
        match block:
            case {"type": "text"}:
                parts.append(TextPart(_checked(block.get("text"), param=f"{there}.text")))
            case {"type": "image"} if role is Role.USER:
                parts.append(_image(block.get("source"), param=f"{there}.source"))
            case {"type": "tool_use"} if role is Role.ASSISTANT:
                calls.append(_call(block, param=there))
            case {"type": "tool_result"} if role is Role.USER:
                results.append(_result(block, param=there))
            case {"type": kind} if kind in UNREAD:
                continue
            case {"type": kind}:
                raise refused(
                    there,
                    f"A block of the type {str(kind)[:64]!r} cannot be read in a turn of the"
                    f" {role.value}.",
                    "unsupported_value",
                )
            case _:
                raise refused(there, "This must be an object with a type.", "invalid_type")
    if parts or calls or not results:
        said = replace(Message.of_parts(role, parts), tool_calls=tuple(calls))
        return [*results, said]
    return results


def _call(block: Mapping[str, Any], *, param: str) -> ToolCall:
    name, arguments = block.get("name"), block.get("input")
    if not isinstance(name, str) or not FUNCTION_NAME.fullmatch(name):
        raise refused(f"{param}.name", "This must be 1 to 64 letters, digits, dots, _ or -.")
    if not isinstance(arguments, Mapping):
        raise refused(f"{param}.input", "This must be an object.", "invalid_type")
    call_id = _id(block.get("id"), param=f"{param}.id")
    return ToolCall(call_id, name, json.dumps(arguments, ensure_ascii=False))


def _result(block: Mapping[str, Any], *, param: str) -> Message:
    content = block.get("content")
    parts = _texts("" if content is None else content, param=f"{param}.content")
    if block.get("is_error"):
        parts = [TextPart(FAILED), *parts]
    call_id = _id(block.get("tool_use_id"), param=f"{param}.tool_use_id")
    return replace(Message.of_parts(Role.TOOL, parts), tool_call_id=call_id)


def _texts(content: Any, *, param: str) -> list[TextPart]:
    """Return the texts of a content that can hold nothing else."""
    texts = []
    for place, block in enumerate(_blocks(content, param=param)):
        if not isinstance(block, Mapping) or block.get("type") != "text":
            raise refused(f"{param}[{place}]", "Only text can be read here.", "unsupported_value")
        texts.append(TextPart(_checked(block.get("text"), param=f"{param}[{place}].text")))
    return texts


def _blocks(content: Any, *, param: str) -> list[Any]:
    if isinstance(content, str):
        return [{"type": "text", "text": content}]
    if not isinstance(content, list) or len(content) > limits.MAX_CONTENT_PARTS:
        raise refused(
            param,
            f"This must be a string or at most {limits.MAX_CONTENT_PARTS} blocks.",
            "invalid_type",
        )
    return content


def _image(source: Any, *, param: str) -> ImagePart:
    match source:
        case {"type": "base64", "media_type": str(media_type), "data": str(data)}:
            url = f"data:{media_type};base64,{data}"
        case _:
            raise refused(
                param, "This server fetches no images; send base64 itself.", "unsupported_value"
            )
    try:
        return read_image({"type": "image_url", "image_url": {"url": url}})
    except serializers.ValidationError as error:
        raise serializers.ValidationError({param: error.detail}) from error


def _id(value: Any, *, param: str) -> str:
    most = limits.MAX_CALL_ID_CHARS
    if not isinstance(value, str) or not 1 <= len(value) <= most:
        raise refused(param, f"This must be a string of 1 to {most} characters.")
    return value


def _checked(text: Any, *, param: str) -> str:
    try:
        return str(_text.run_validation(text))
    except serializers.ValidationError as error:
        raise serializers.ValidationError({param: error.detail}) from error
