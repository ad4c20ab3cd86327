"""The words of a conversation: who said what."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Role(StrEnum):
    """Who speaks, in the field's (and the OpenAI API's) names."""

    SYSTEM = "system"
    USER = "user"
    ASSISTANT = "assistant"
    TOOL = "tool"


@dataclass(frozen=True, slots=True)
class Message:
    """One thing said by one role."""

    role: Role
    content: str

    def as_dict(self) -> dict[str, str]:
        """Return the message as chat templates and the wire want it."""
        return {"role": self.role.value, "content": self.content}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "Message":
        """Read what `as_dict` wrote.

        Raises:
            ValueError: the role is not one of `Role`.
        """
        return cls(role=Role(data["role"]), content=str(data["content"]))
