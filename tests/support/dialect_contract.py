"""What every dialect promises, as tests; a dialect's own tests say what its server says."""

import pytest

from inference.exceptions import InvalidRequestError
from inference.generation import FinishReason, GenerationRequest, SamplingParams
from inference.messages import ImagePart, Message, Role, TextPart
from inference.providers.dialects import dialect_named
from tests.support.dialect_faults import FailsClearly
from tests.support.dialect_under_test import ANSWER, KEY
from tests.support.wire_server import Canned, Told, a_server, ask, bytewise

PIXEL = ImagePart(b"\x89PNG made up", "image/png")
QUESTION = Message(Role.USER, "Say hello.")


class DialectContract(FailsClearly):
    """The promises: answers and requests here, failures in `FailsClearly`."""

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
            body = wire.heard[0].json
            turn = body["contents"][0] if "contents" in body else body["messages"][0]
            text, picture = turn.get("parts") or turn["content"]
            assert text["text"] == "What is this?"
            assert picture == self.picture
        else:
            with pytest.raises(InvalidRequestError, match="no images"):
                await ask(server, request)
