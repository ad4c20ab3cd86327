"""Input items: what each says in the words of a conversation.

Messages with parts, calls of functions and their results are read; reasoning of other models is
left out, since no model here can read it. Items of built-in tools are refused.

Source: OpenAI's API reference, "Create a model response", the field `input`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from rest_framework import serializers

from inference.api import limits
from inference.api.bounds import check_conversation
from inference.api.fields import TextField
from inference.api.functions import refused
from inference.api.image_fields import read_image
from inference.api.tool_fields import FUNCTION_NAME
from inference.messages import Message, Part, Role, TextPart, ToolCall

ROLES = {
    "system": Role.SYSTEM,
    "developer": Role.SYSTEM,
    "user": Role.USER,
    "assistant": Role.ASSISTANT,
}
TEXT_TYPES = ("input_text", "output_text", "text")
MAX_ITEMS = limits.MAX_MESSAGES

_text = TextField(allow_blank=True, max_length=limits.MAX_PROMPT_CHARS)


def read_items(data: Any) -> tuple[Message, ...]:
    """Return the messages of an input: a string is what the user says.

    Raises:
        ValidationError: an item is malformed, not supported, or there is too much.
    """
    if isinstance(data, str):
        if not data:
            raise refused("input", "This must not be empty.", "blank")
        data = [{"role": "user", "content": data}]
    if not isinstance(data, list) or not 1 <= len(data) <= MAX_ITEMS:
        raise refused("input", f"This must be a string or 1 to {MAX_ITEMS} items.", "invalid_type")
    messages: list[Message] = []
    for place, item in enumerate(data):
        _append(messages, item, param=f"input[{place}]")
    if not messages:
        raise refused("input", "This says nothing a model could answer.", "blank")
    check_conversation(messages, param="input")
    return tuple(messages)


def joined(history: Sequence[Message], new: Sequence[Message]) -> tuple[Message, ...]:
    """Return a conversation and what follows it; results of functions learn who was called.

    Raises:
        ValidationError: a result belongs to no call, or there is too much.
    """
    messages: list[Message] = []
    names: dict[str, str] = {}
    for message in (*history, *new):
        names |= {call.id: call.name for call in message.tool_calls}
        if message.role is Role.TOOL:
            if message.tool_call_id not in names:
                raise refused("input", f"No call has the call_id {message.tool_call_id!r}.")
            message = replace(message, name=names[message.tool_call_id])
        messages.append(message)
    check_conversation(messages, param="input")
    return tuple(messages)


def _append(messages: list[Message], item: Any, *, param: str) -> None:
    """Add what an item says; a call belongs to what the assistant said right before."""
    match item:
        case {"type": "function_call"}:
            call = _call(item, param=param)
            if messages and messages[-1].role is Role.ASSISTANT:
                last = messages.pop()
                messages.append(replace(last, tool_calls=(*last.tool_calls, call)))
            else:
                messages.append(Message(Role.ASSISTANT, "", tool_calls=(call,)))
        case {"type": "function_call_output"}:
            messages.append(_result(item, param=param))
        case {"type": "reasoning"}:
            return
        case {"role": _} if item.get("type") in ("message", None):
            messages.append(_message(item, param=param))
        case {"type": str(kind)}:
            raise refused(
                param, f"This server reads no items of the type {kind[:64]!r}.", "unsupported_value"
            )
        case _:
            raise refused(param, "This must be an object with a role or a type.", "invalid_type")


def _message(item: Mapping[str, Any], *, param: str) -> Message:
    role = ROLES.get(item["role"]) if isinstance(item["role"], str) else None
    if role is None:
        names = ", ".join(sorted(ROLES))
        raise refused(f"{param}.role", f"This must be one of {names}.", "invalid_choice")
    message = Message.of_parts(role, _parts(item.get("content"), param=f"{param}.content"))
    if message.images and role is not Role.USER:
        raise refused(
            f"{param}.content", "Only messages of the user can hold images.", "unsupported_value"
        )
    return message


def _call(item: Mapping[str, Any], *, param: str) -> ToolCall:
    name, arguments = item.get("name"), item.get("arguments")
    if not isinstance(name, str) or not FUNCTION_NAME.fullmatch(name):
        raise refused(f"{param}.name", "This must be 1 to 64 letters, digits, dots, _ or -.")
    return ToolCall(
        _call_id(item, param=param), name, _checked(arguments, param=f"{param}.arguments")
    )


def _result(item: Mapping[str, Any], *, param: str) -> Message:
    parts = _parts(item.get("output"), param=f"{param}.output")
    message = Message.of_parts(Role.TOOL, parts)
    if message.images:
        raise refused(f"{param}.output", "Results can be text alone.", "unsupported_value")
    return replace(message, tool_call_id=_call_id(item, param=param))


def _call_id(item: Mapping[str, Any], *, param: str) -> str:
    call_id = item.get("call_id")
    if not isinstance(call_id, str) or not 1 <= len(call_id) <= limits.MAX_CALL_ID_CHARS:
        raise refused(
            f"{param}.call_id",
            f"This must be a string of 1 to {limits.MAX_CALL_ID_CHARS} characters.",
        )
    return call_id


def _parts(content: Any, *, param: str) -> tuple[Part, ...]:
    """Return the parts of a content: a string is one."""
    if isinstance(content, str):
        return (TextPart(_checked(content, param=param)),)
    if not isinstance(content, list) or not 1 <= len(content) <= limits.MAX_CONTENT_PARTS:
        raise refused(
            param,
            f"This must be a string or 1 to {limits.MAX_CONTENT_PARTS} parts.",
            "invalid_type",
        )
    return tuple(_part(part, param=f"{param}[{place}]") for place, part in enumerate(content))


def _part(part: Any, *, param: str) -> Part:
    match part:
        case {"type": kind} if kind in TEXT_TYPES:
            return TextPart(_checked(part.get("text"), param=f"{param}.text"))
        case {"type": "refusal"}:
            return TextPart(_checked(part.get("refusal"), param=f"{param}.refusal"))
        case {"type": "input_image", "image_url": str(url)}:
            return _image({"url": url, "detail": part.get("detail")}, param=f"{param}.image_url")
        case {"type": str(kind)}:
            raise refused(
                param,
                f"This server reads no parts of the type {kind[:64]!r}; images come as image_url.",
                "unsupported_value",
            )
        case _:
            raise refused(param, "This must be an object with a type.", "invalid_type")


def _image(place: dict[str, Any], *, param: str) -> Part:
    try:
        return read_image({"type": "image_url", "image_url": place})
    except serializers.ValidationError as error:
        raise serializers.ValidationError({param: error.detail}) from error


def _checked(text: Any, *, param: str) -> str:
    try:
        return str(_text.run_validation(text))
    except serializers.ValidationError as error:
        raise serializers.ValidationError({param: error.detail}) from error
