"""A conversation as servers want it that keep the system prompt apart and turns alternating."""

import base64
from collections.abc import Iterable
from dataclasses import dataclass

from inference.exceptions import InvalidRequestError
from inference.messages import ImagePart, Message, Part, Role, TextPart


@dataclass(frozen=True, slots=True)
class Turns:
    """A conversation with its system messages taken out.

    Attributes:
        system: all system messages, a blank line between them; "" where there is none.
        turns: messages of user and assistant in turn, none of them empty.
    """

    system: str
    turns: tuple[Message, ...]


def in_turns(messages: Iterable[Message]) -> Turns:
    """Return a conversation with neighbours of one role joined and empty messages left out.

    An answer that was stopped before its first word leaves an empty message, and two questions
    then follow each other; many servers refuse either.

    Raises:
        InvalidRequestError: there is a message of a tool, or nothing is left to answer.
    """
    system: list[str] = []
    turns: list[Message] = []
    for message in messages:
        if message.role is Role.TOOL:
            raise InvalidRequestError("this model takes no messages of tools", param="messages")
        if not message.content.strip() and not message.images:
            continue
        if message.role is Role.SYSTEM:
            system.append(message.content)
        elif turns and turns[-1].role is message.role:
            turns[-1] = _joined(turns[-1], message)
        else:
            turns.append(message)
    if not turns:
        raise InvalidRequestError("there is no message to answer", param="messages")
    return Turns("\n\n".join(system), tuple(turns))


def parts_of(message: Message) -> tuple[Part, ...]:
    """Return the parts of a message, its text as one where it has none; empty texts left out."""
    parts = message.parts or (TextPart(message.content),)
    return tuple(part for part in parts if isinstance(part, ImagePart) or part.text.strip())


def base64_of(image: ImagePart) -> str:
    """Return the bytes of an image's file in base64."""
    return base64.b64encode(image.data).decode()


def data_url(image: ImagePart) -> str:
    """Return an image as an address that holds all of it."""
    return f"data:{image.media_type};base64,{base64_of(image)}"


def _joined(first: Message, second: Message) -> Message:
    if not first.parts and not second.parts:
        return Message(first.role, f"{first.content}\n\n{second.content}")
    return Message.of_parts(first.role, [*parts_of(first), *parts_of(second)])
