"""Conversations in JSON files: a list of {"role", "content"}, oldest first."""

import json
import sys
from pathlib import Path
from typing import Any

from inference.exceptions import InvalidRequestError
from inference.messages import Message, Role

STDIN = "-"


def read_messages(file: str, *, limit_bytes: int) -> tuple[list[Message], bool]:
    """Return the messages of a file and whether it ends with an open slot.

    An open slot is a last message of the assistant's whose content is null: it is to speak next.

    Args:
        file: a path, or `-` for standard input.
        limit_bytes: largest file that is read.

    Raises:
        InvalidRequestError: it cannot be read, is too large, or is no such list; the message says
            where.
    """
    name = "standard input" if file == STDIN else file
    entries = _parse(name, _read(name, file, limit_bytes))
    if not isinstance(entries, list) or not entries:
        raise InvalidRequestError(f"{name} must hold a list of messages, and at least one")
    is_open = entries[-1] == {"role": "assistant", "content": None}
    closed = entries[:-1] if is_open else entries
    return [_message(name, number, entry) for number, entry in enumerate(closed, 1)], is_open


def _read(name: str, file: str, limit_bytes: int) -> bytes:
    try:
        if file == STDIN:
            data = sys.stdin.buffer.read(limit_bytes + 1)
        else:
            with Path(file).open("rb") as stream:
                data = stream.read(limit_bytes + 1)
    except OSError as error:
        raise InvalidRequestError(f"{name} cannot be read: {error.strerror}") from error
    if len(data) > limit_bytes:
        raise InvalidRequestError(f"{name} is larger than {limit_bytes} bytes")
    return data


def _parse(name: str, data: bytes) -> Any:
    try:
        return json.loads(data)
    except (ValueError, RecursionError) as error:
        raise InvalidRequestError(f"{name} is not JSON: {error}") from error


def _message(name: str, number: int, entry: Any) -> Message:
    """Read one message, refusing what is none."""
    match entry:
        case {"role": str(role), "content": str(content)} if role in set(Role):
            try:
                content.encode()
            except UnicodeEncodeError as error:
                raise InvalidRequestError(
                    f"message {number} of {name} has half a surrogate pair"
                ) from error
            return Message(Role(role), content)
        case {"role": str(), "content": str()}:
            known = ", ".join(Role)
            raise InvalidRequestError(f"message {number} of {name} needs a role among {known}")
        case _:
            raise InvalidRequestError(
                f"message {number} of {name} must be {{'role': …, 'content': …}} with texts"
            )
