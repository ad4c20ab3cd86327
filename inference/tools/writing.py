"""Tools for models that were taught none: a text that explains them, calls and results as text.

The system text lists the functions as JSON, one a line, and asks for the canonical format.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from inference.messages import Message, Role, ToolCall

INTRODUCTION = """\
You can call functions. These are their names, purposes and parameters (JSON schema), one a line:
<tools>
{functions}
</tools>
To call a function, write its name and arguments as JSON between these signs and then wait:
<tool_call>
{{"name": "the_function", "arguments": {{"the_parameter": "its value"}}}}
</tool_call>
Several calls are written one after the other. Results come back between <tool_response> and \
</tool_response>. Without need for a function, just answer."""


def tools_text(tools: Iterable[Mapping[str, Any]]) -> str:
    """Return the system text that tells a model of functions and asks for canonical calls."""
    lines = [json.dumps(tool["function"], ensure_ascii=False) for tool in tools]
    return INTRODUCTION.format(functions="\n".join(lines))


CALL_END = "}\n</tool_call>"


def call_opening(name: str) -> str:
    """Return what stands in front of a call's arguments in the canonical format."""
    return f'<tool_call>\n{{"name": {json.dumps(name)}, "arguments": '


def call_text(name: str, arguments: str) -> str:
    """Return a call in the canonical format; `arguments` is JSON as text."""
    return call_opening(name) + arguments + CALL_END


def as_plain_talk(messages: Sequence[Message], tools: Sequence[Mapping[str, Any]]) -> list[Message]:
    """Return a conversation in which tools are explained, called and heard in plain text.

    Results become the user's words, joined with what the user says next, so that speakers still
    take turns.
    """
    talk: list[Message] = []
    is_answering = False  # whether the last message holds results
    for message in messages:
        if message.role is Role.TOOL:
            text = f"<tool_response>\n{message.content}\n</tool_response>"
            if is_answering:
                talk[-1] = _joined(talk[-1], text)
            else:
                talk.append(Message(Role.USER, text))
            is_answering = True
        elif is_answering and message.role is Role.USER:
            talk[-1] = message.preceded_by(talk[-1].content)
            is_answering = False
        else:
            talk.append(_spoken(message))
            is_answering = False
    return _introduced(talk, tools_text(tools)) if tools else talk


def with_short_ids(messages: Iterable[Message], length: int) -> list[Message]:
    """Return the conversation with call ids of one length, for templates that insist on it."""
    ids: dict[str, str] = {}

    def short(long: str) -> str:
        return ids.setdefault(long, f"{len(ids):0{length}d}") if long else ""

    return [
        Message(
            message.role,
            message.content,
            message.parts,
            tuple(ToolCall(short(c.id), c.name, c.arguments) for c in message.tool_calls),
            short(message.tool_call_id),
            message.name,
        )
        for message in messages
    ]


def with_single_calls(messages: Sequence[Message]) -> list[Message]:
    """Return the conversation with every call in a message of its own, its result behind it."""
    results = {entry.tool_call_id: entry for entry in messages if entry.role is Role.TOOL}
    talk: list[Message] = []
    moved: set[str] = set()
    for message in messages:
        if len(message.tool_calls) < 2:
            talk += [] if message.tool_call_id in moved else [message]
            continue
        for place, call in enumerate(message.tool_calls):
            content = "" if place else message.content
            talk.append(replace(message, content=content, tool_calls=(call,)))
            if call.id in results:
                talk.append(results[call.id])
                moved.add(call.id)
    return talk


def _spoken(message: Message) -> Message:
    """Return an assistant's message with its calls written out."""
    if not message.tool_calls:
        return message
    calls = [call_text(call.name, call.arguments) for call in message.tool_calls]
    said = [message.content] if message.content.strip() else []
    return Message(message.role, "\n".join([*said, *calls]))


def _introduced(talk: list[Message], text: str) -> list[Message]:
    if talk and talk[0].role is Role.SYSTEM:
        return [talk[0].with_content(f"{talk[0].content}\n\n{text}"), *talk[1:]]
    return [Message(Role.SYSTEM, text), *talk]


def _joined(message: Message, text: str) -> Message:
    return message.with_content(f"{message.content}\n{text}")
