"""The words of a conversation: who said what, in text and images, and which tools were called."""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from hashlib import blake2b
from typing import Any

IMAGE_MEDIA_TYPES = ("image/png", "image/jpeg", "image/webp", "image/gif")
"""The kinds of images that are taken; of a moving one the first picture counts."""


class Role(StrEnum):
    """Who speaks, in the field's (and the OpenAI API's) names."""

    SYSTEM = "system"
    USER = "user"
    ASSISTANT = "assistant"
    TOOL = "tool"


@dataclass(frozen=True, slots=True)
class TextPart:
    """A piece of text in a message that holds images too."""

    text: str

    def as_dict(self) -> dict[str, Any]:
        """Return the part as plain data."""
        return {"type": "text", "text": self.text}


@dataclass(frozen=True, slots=True)
class ImagePart:
    """An image in a message, as its file; nobody has decoded it yet.

    Attributes:
        data: the bytes of the file.
        media_type: one of `IMAGE_MEDIA_TYPES`, as the sender says.

    Raises:
        ValueError: there are no bytes, or images of this type are not taken.
    """

    data: bytes = field(repr=False)
    media_type: str

    def __post_init__(self) -> None:
        if self.media_type not in IMAGE_MEDIA_TYPES:
            raise ValueError(f"{self.media_type!r} is not one of {', '.join(IMAGE_MEDIA_TYPES)}")
        if not self.data:
            raise ValueError("an image has no bytes")

    @property
    def digest(self) -> bytes:
        """16 bytes that name the content."""
        return blake2b(self.data, digest_size=16).digest()

    def as_dict(self) -> dict[str, Any]:
        """Return the part as plain data; the image stays bytes."""
        return {"type": "image", "data": self.data, "media_type": self.media_type}


Part = TextPart | ImagePart


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A function that an assistant wanted called.

    Attributes:
        id: by which its result will be known.
        name: of the function.
        arguments: a JSON object, as text; a model may have written it badly.
    """

    id: str
    name: str
    arguments: str

    def as_dict(self) -> dict[str, Any]:
        """Return the call as plain data."""
        return {"id": self.id, "name": self.name, "arguments": self.arguments}

    def as_template_dict(self) -> dict[str, Any]:
        """Return the call as chat templates want it, its arguments as data if they can be read."""
        try:
            arguments = json.loads(self.arguments)
        except (ValueError, RecursionError):
            arguments = self.arguments
        function = {"name": self.name, "arguments": arguments}
        return {"id": self.id, "type": "function", "function": function}


@dataclass(frozen=True, slots=True)
class Message:
    """One thing said by one role.

    Attributes:
        role: who speaks.
        content: all of the text; the texts of several parts stand on lines of their own.
        parts: text and images in the order in which they were said; empty where the message is
            only text. `Message.of_parts` makes content and parts agree.
        tool_calls: what an assistant wanted called.
        tool_call_id: the call that a tool's message answers; "" for other roles.
        name: who of the role speaks; for a tool's message the function.

    Raises:
        ValueError: the content is not the text of the parts.
    """

    role: Role
    content: str
    parts: tuple[Part, ...] = ()
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str = ""
    name: str = ""

    def __post_init__(self) -> None:
        if self.parts and self.content != text_of(self.parts):
            raise ValueError("the content of a message must be the text of its parts")

    @classmethod
    def of_parts(cls, role: Role, parts: Iterable[Part]) -> "Message":
        """Return a message of these parts; without an image among them it is only text."""
        kept = tuple(parts)
        has_image = any(isinstance(part, ImagePart) for part in kept)
        return cls(role, text_of(kept), kept if has_image else ())

    @property
    def images(self) -> tuple[ImagePart, ...]:
        """The images in the order in which they were said."""
        return tuple(part for part in self.parts if isinstance(part, ImagePart))

    def with_texts(self, change: Callable[[str], str]) -> "Message":
        """Return the message with every text in it changed; images stay where they are."""
        parts = [TextPart(change(p.text)) if isinstance(p, TextPart) else p for p in self.parts]
        return self.with_content(change(self.content), parts)

    def with_content(self, content: str, parts: Iterable[Part] = ()) -> "Message":
        """Return the message saying something else; parts, where there are any, tell what."""
        kept = tuple(parts)
        return replace(self, content=text_of(kept) if kept else content, parts=kept)

    def preceded_by(self, text: str) -> "Message":
        """Return the message with a text said before, a blank line between."""
        parts = [TextPart(f"{text}\n"), *self.parts] if self.parts else []
        return self.with_content(f"{text}\n\n{self.content}", parts)

    def as_dict(self) -> dict[str, Any]:
        """Return the message as the wire wants it; what it has nothing of is left out."""
        data: dict[str, Any] = {"role": self.role.value, "content": self.content}
        if self.parts:
            data["parts"] = [part.as_dict() for part in self.parts]
        if self.tool_calls:
            data["tool_calls"] = [call.as_dict() for call in self.tool_calls]
        return data | self._names()

    def as_template_dict(self) -> dict[str, Any]:
        """Return the message as chat templates want it.

        The content of one with images is the list of its parts, `{"type": "text", "text": …}` and
        `{"type": "image"}`; a message that is only text has it as a string.
        """
        data: dict[str, Any] = {"role": self.role.value, "content": self.content}
        if self.parts:
            data["content"] = [
                part.as_dict() if isinstance(part, TextPart) else {"type": "image"}
                for part in self.parts
            ]
        if self.tool_calls:
            data["tool_calls"] = [call.as_template_dict() for call in self.tool_calls]
        return data | self._names()

    def _names(self) -> dict[str, str]:
        names = {"tool_call_id": self.tool_call_id, "name": self.name}
        return {key: name for key, name in names.items() if name}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "Message":
        """Read what `as_dict` wrote.

        Raises:
            ValueError: the role is not one of `Role`, or a part is not one of ours.
        """
        message = cls(
            role=Role(data["role"]),
            content=str(data["content"]),
            tool_calls=tuple(ToolCall(**call) for call in data.get("tool_calls", ())),
            tool_call_id=str(data.get("tool_call_id", "")),
            name=str(data.get("name", "")),
        )
        return message.with_content(message.content, map(_read_part, data.get("parts", ())))


def text_of(parts: Iterable[Part]) -> str:
    """Return all text of some parts, each on lines of its own."""
    return "\n".join(part.text for part in parts if isinstance(part, TextPart))


def images_of(messages: Iterable[Message]) -> list[ImagePart]:
    """Return the images of a conversation in the order in which they were said."""
    return [image for message in messages for image in message.images]


def _read_part(data: Mapping[str, Any]) -> Part:
    match data:
        case {"type": "text", "text": str(text)}:
            return TextPart(text)
        case {"type": "image", "data": bytes(image), "media_type": str(media_type)}:
            return ImagePart(image, media_type)
        case _:
            raise ValueError(f"a message has no part of the type {data.get('type')!r}")
