"""What every dialect promises, as tests; a dialect's own tests say what its server says."""

import json
import logging
from abc import ABC, abstractmethod
from typing import Any

import pytest

from inference.exceptions import InvalidRequestError, ProviderError
from inference.generation import FinishReason, GenerationRequest, SamplingParams, Usage
from inference.messages import ImagePart, Message, Role, TextPart
from inference.providers.dialects import dialect_named
from inference.providers.server import Server
from tests.support.wire_server import EVENTS, Canned, Heard, Told, a_server, ask, bytewise

KEY = "sk-never-to-be-seen"
PIXEL = ImagePart(b"\x89PNG made up", "image/png")
ANSWER = "Grüße, 世界! 👋"
QUESTION = Message(Role.USER, "Say hello.")


class DialectContract(ABC):
    """The promises; a subclass fills in the wire format as its page documents it.

    Attributes:
        dialect: name in the table.
        media_type: of a streamed answer.
        usage: what `answer_bytes` tells.
        options: without which there is no endpoint.
        key_header: the header that holds the key, and the value around it.
    """

    dialect: str
    media_type: str = EVENTS
    usage = Usage(11, 7)
    options: dict[str, Any] = {}
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

    async def test_an_answer_is_read_with_its_text_reason_and_counts(self, wire, server):
        wire.answer(self.canned(self.answer_bytes()))

        told = await ask(server)

        assert told == Told(told.pieces, FinishReason.STOP, self.usage)
        assert told.text == ANSWER

    async def test_chunks_may_be_cut_anywhere(self, wire, server):
        wire.answer(Canned(bytewise(self.answer_bytes()), media_type=self.media_type))

        assert (await ask(server)).text == ANSWER

    async def test_an_answer_that_was_too_long_says_so(self, wire, server):
        wire.answer(self.canned(self.length_bytes()))

        assert (await ask(server)).finish_reason is FinishReason.LENGTH

    async def test_the_key_stands_where_the_server_looks_for_it(self, wire, server):
        wire.answer(self.canned(self.answer_bytes()))

        await ask(server)

        name, form = self.key_header
        assert wire.heard[0].headers[name] == form.format(KEY)
        assert wire.heard[0].method == "POST"

    async def test_the_conversation_arrives_in_turns(self, wire, server):
        wire.answer(self.canned(self.answer_bytes()))
        messages = (
            Message(Role.SYSTEM, "Be brief."),
            Message(Role.USER, "Hi."),
            Message(Role.ASSISTANT, ""),
            Message(Role.USER, "Are you there?"),
            Message(Role.ASSISTANT, "Yes."),
            QUESTION,
        )

        await ask(server, GenerationRequest("here", messages))

        assert self.messages_of(wire.heard[0]) == [
            ("system", "Be brief."),
            ("user", "Hi.\n\nAre you there?"),
            ("assistant", "Yes."),
            ("user", "Say hello."),
        ]

    async def test_a_connection_that_is_cut_is_an_error_after_what_was_said(self, wire, server):
        wire.answer(self.canned(self.beginning_bytes(), is_cut=True))

        with pytest.raises(ProviderError) as caught:
            await ask(server)

        assert caught.value.code == "provider_cut_off"
        assert len(wire.heard) == 1

    async def test_an_answer_without_an_end_was_cut_off(self, wire, server):
        wire.answer(self.canned(self.beginning_bytes()))

        with pytest.raises(ProviderError) as caught:
            await ask(server)

        assert caught.value.code == "provider_cut_off"

    async def test_a_server_that_falls_silent_is_left(self, wire, server):
        wire.answer(self.canned(self.beginning_bytes(), hangs=True))

        with pytest.raises(ProviderError) as caught:
            await ask(server)

        assert caught.value.code == "provider_silent"

    async def test_what_is_not_the_dialect_is_an_error(self, wire, server):
        wire.answer(self.canned(self.malformed_bytes()))

        with pytest.raises(ProviderError) as caught:
            await ask(server)

        assert caught.value.code == "provider_protocol"

    async def test_odd_values_in_right_places_end_in_an_error_of_ours(self, wire, server):
        for odd in (b"null", b"[]", b"{}", b'"text"', b"7"):
            framed = b"data: " + odd + b"\n\n" if self.media_type == EVENTS else odd + b"\n"
            wire.answer(self.canned(framed))

            with pytest.raises(ProviderError):
                await ask(server)

    async def test_a_page_of_a_proxy_is_not_taken_for_an_answer(self, wire, server):
        wire.answer(Canned((b"<html>Welcome</html>",), media_type="text/html"))

        with pytest.raises(ProviderError) as caught:
            await ask(server)

        assert caught.value.code == "provider_protocol"

    async def test_an_error_in_the_middle_ends_the_answer_with_its_code(self, wire, server):
        if (error := self.error_bytes()) is None:
            pytest.skip("the dialect knows no errors within an answer")
        data, code = error
        wire.answer(self.canned(self.beginning_bytes() + data))

        with pytest.raises(ProviderError) as caught:
            await ask(server)

        assert caught.value.code == code

    async def test_a_server_that_is_busy_is_asked_again_when_it_wants(self, wire, server):
        wire.answer(
            Canned.of_json(self.rate_limit_body(), status=429, Retry_After="0"),
            self.canned(self.answer_bytes()),
        )

        told = await ask(server)

        assert told.text == ANSWER
        assert len(wire.heard) == 2

    @pytest.mark.parametrize(
        ("status", "code"),
        [
            (401, "provider_key_rejected"),
            (403, "provider_key_rejected"),
            (404, "provider_model_not_found"),
            (500, "provider_unavailable"),
        ],
    )
    async def test_statuses_have_their_codes_and_no_log_holds_the_key(
        self, wire, server, status, code, caplog
    ):
        caplog.set_level(logging.DEBUG, logger="inference")
        wire.answer(Canned.of_json({"message": f"{KEY} is odd"}, status=status, Retry_After="9"))

        with pytest.raises(ProviderError) as caught:
            await ask(server)

        assert caught.value.code == code
        seen = f"{caught.value!r} {caught.value.detail} {caught.value.__dict__} {caplog.text}"
        assert KEY not in seen

    async def test_a_parameter_the_server_does_not_take_is_refused_by_name(self, wire, server):
        wire.answer(self.canned(self.answer_bytes()))
        request = GenerationRequest("here", (QUESTION,), SamplingParams(repetition_penalty=1.1))

        with pytest.raises(InvalidRequestError, match="repetition_penalty"):
            await ask(server, request)

        assert not wire.heard

    async def test_extra_fields_of_the_endpoint_are_sent_and_ours_win(self, wire, monkeypatch):
        monkeypatch.setenv("WIRE_KEY", KEY)
        extra = {"messages": "theirs", "contents": "theirs", "made_up": {"x": 1}}
        server = a_server(
            self.dialect,
            wire.url,
            key_variable="WIRE_KEY",
            options=self.options,
            extra_body=extra,
        )
        wire.answer(self.canned(self.answer_bytes()))

        await ask(server)

        assert wire.heard[0].json["made_up"] == {"x": 1}
        assert self.messages_of(wire.heard[0]) == [("user", "Say hello.")]

    async def test_images_arrive_whole_or_are_refused(self, wire, server):
        wire.answer(self.canned(self.answer_bytes()))
        message = Message.of_parts(Role.USER, [TextPart("What is this?"), PIXEL])
        request = GenerationRequest("here", (message,))

        if dialect_named(self.dialect).takes_images:
            await ask(server, request)
            assert "iVBORyBtYWRlIHVw" in json.dumps(wire.heard[0].json)
        else:
            with pytest.raises(InvalidRequestError, match="no images"):
                await ask(server, request)
