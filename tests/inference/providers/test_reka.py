"""Reka's chat API, as its page on creating chats documents it: chunks grow."""

import pytest

from inference.exceptions import ProviderError
from tests.support.dialect_contract import DialectContract
from tests.support.dialect_under_test import PIXEL_BASE64
from tests.support.wire_server import a_request, a_server, ask, sse


def chunk(text, reason="", **more):
    return {
        "id": "1",
        "model": "there",
        "responses": [{"chunk": {"role": "assistant", "content": text}, "finish_reason": reason}],
        "usage": {"input_tokens": 11, "output_tokens": 7},
        **more,
    }


class TestReka(DialectContract):
    dialect = "reka"
    picture = {"type": "image_url", "image_url": f"data:image/png;base64,{PIXEL_BASE64}"}
    key_header = ("x-api-key", "{}")

    def answer_bytes(self):
        return sse(chunk("Grüße"), chunk("Grüße, 世界"), chunk("Grüße, 世界! 👋", "stop"))

    def length_bytes(self):
        return sse(chunk("Grü", "length"))

    def beginning_bytes(self):
        return sse(chunk("Grü"))

    def error_bytes(self):
        return sse({"detail": "the model failed"}), "provider_cut_off"

    def messages_of(self, heard):
        turns = [(turn["role"], turn["content"]) for turn in heard.json["messages"]]
        _, is_there, rest = turns[0][1].partition("Be brief.\n\n")
        return [("system", "Be brief."), ("user", rest), *turns[1:]] if is_there else turns

    async def test_a_request_is_what_the_page_shows(self, wire, server):
        wire.answer(self.canned(self.answer_bytes()))

        await ask(server, a_request(temperature=0.5, top_p=0.9, max_tokens=9, stop=("E",)))

        assert wire.heard[0].path == "/v1/chat"
        assert wire.heard[0].json == {
            "model": "there",
            "messages": [{"role": "user", "content": "Say hello."}],
            "stream": True,
            "temperature": 0.5,
            "top_p": 0.9,
            "max_tokens": 9,
            "stop": ["E"],
        }

    async def test_a_name_that_says_online_lets_the_model_search(self, wire):
        wire.answer(self.canned(self.answer_bytes()))

        await ask(a_server("reka", f"{wire.url}/v1", name_there="reka-flash-online"))

        assert wire.heard[0].path == "/v1/chat"
        assert wire.heard[0].json["model"] == "reka-flash"
        assert wire.heard[0].json["use_search_engine"] is True

    async def test_the_answer_comes_in_pieces_although_chunks_repeat_it(self, wire, server):
        wire.answer(self.canned(self.answer_bytes()))

        assert (await ask(server)).pieces == ("Grüße", ", 世界", "! 👋")

    async def test_an_answer_that_changes_its_beginning_is_an_error(self, wire, server):
        wire.answer(self.canned(sse(chunk("Yes"), chunk("No, never", "stop"))))

        with pytest.raises(ProviderError) as caught:
            await ask(server)

        assert caught.value.code == "provider_protocol"
