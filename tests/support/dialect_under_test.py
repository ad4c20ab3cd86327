"""A dialect under test: what its servers say, in the bytes they say it in."""

from abc import ABC, abstractmethod
from typing import Any

import pytest

from inference.generation import Usage
from inference.providers.server import Server
from tests.support.wire_server import EVENTS, Canned, Heard, a_server

KEY = "sk-never-to-be-seen"
ANSWER = "Grüße, 世界! 👋"
PIXEL_BASE64 = "iVBORyBtYWRlIHVw"


class DialectUnderTest(ABC):
    """A dialect and what its servers say; a subclass fills in the format as its page documents it.

    Attributes:
        dialect: name in the table.
        media_type: of a streamed answer.
        usage: what `answer_bytes` tells.
        options: without which there is no endpoint.
        picture: how a request holds the image whose file is `PIXEL_BASE64`, a PNG; None where the
            dialect takes no images.
        key_header: the header that holds the key, and the value around it.
    """

    dialect: str
    media_type: str = EVENTS
    usage = Usage(11, 7)
    options: dict[str, Any] = {}
    picture: Any = None
    key_header: tuple[str, str] = ("authorization", "Bearer {}")

    @abstractmethod
    def answer_bytes(self) -> bytes:
        """Return a whole answer that says `ANSWER` in three pieces and tells its counts."""

    @abstractmethod
    def length_bytes(self) -> bytes:
        """Return an answer that ended because of its length."""

    @abstractmethod
    def beginning_bytes(self) -> bytes:
        """Return the beginning of an answer that says "Grü" and does not end."""

    @abstractmethod
    def messages_of(self, heard: Heard) -> list[tuple[str, str]]:
        """Return role and text of each turn in a request, the system prompt as "system"."""

    def malformed_bytes(self) -> bytes:
        """Return the beginning of an answer and then something that is not the dialect."""
        return self.beginning_bytes() + b"data: {not json\n\n"

    def error_bytes(self) -> tuple[bytes, str] | None:
        """Return an error in the middle of an answer and its code; None where there are none."""
        return None

    def rate_limit_body(self) -> Any:
        """Return the body of a 429."""
        return {"message": "too many requests"}

    def canned(self, data: bytes, **values: Any) -> Canned:
        return Canned((data,), media_type=self.media_type, **values)

    @pytest.fixture
    def server(self, wire, monkeypatch) -> Server:
        monkeypatch.setenv("WIRE_KEY", KEY)
        return a_server(
            self.dialect,
            wire.url,
            key_variable="WIRE_KEY",
            options=self.options,
            takes_images=True,
        )
