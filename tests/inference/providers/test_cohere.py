"""Cohere's chat API, as the page on streaming it documents it."""

import pytest

from inference.exceptions import InvalidRequestError, ProviderError
from tests.support.dialect_contract import DialectContract
from tests.support.dialect_under_test import PIXEL_BASE64
from tests.support.wire_server import Canned, a_request, a_server, ask, named_sse


def opening():
    return named_sse(
        (
            "message-start",
            {"type": "message-start", "id": "1", "delta": {"message": {"role": "assistant"}}},
        ),
        (
            "content-start",
            {
                "type": "content-start",
                "index": 0,
                "delta": {"message": {"content": {"type": "text", "text": ""}}},
            },
        ),
    )


def said(*texts):
    return named_sse(
        *(
            (
                "content-delta",
                {
                    "type": "content-delta",
                    "index": 0,
                    "delta": {"message": {"content": {"text": text}}},
                },
            )
            for text in texts
        )
    )


def closing(reason="COMPLETE", **more):
    tokens = {"input_tokens": 11, "output_tokens": 7}
    usage = {"billed_units": {"input_tokens": 3, "output_tokens": 7}, "tokens": tokens}
    delta = {"finish_reason": reason, "usage": usage, **more}
    return named_sse(
        ("content-end", {"type": "content-end", "index": 0}),
        ("message-end", {"type": "message-end", "delta": delta}),
    )


class TestCohere(DialectContract):
    dialect = "cohere"
    picture = {
        "type": "image_url",
        "image_url": {"url": f"data:image/png;base64,{PIXEL_BASE64}"},
    }

    def answer_bytes(self):
        return opening() + said("Grüße", ", 世界", "! 👋") + closing()

    def length_bytes(self):
        return opening() + said("Grü") + closing("MAX_TOKENS")

    def beginning_bytes(self):
        return opening() + said("Grü")

    def error_bytes(self):
        return closing("ERROR", error="the backend failed"), "provider_cut_off"

    def messages_of(self, heard):
        return [(turn["role"], turn["content"]) for turn in heard.json["messages"]]

    async def test_a_request_is_what_the_page_shows(self, wire, server):
        wire.answer(self.canned(self.answer_bytes()))

        await ask(server, a_request(temperature=0.5, top_p=0.9, top_k=3, max_tokens=9, stop=("E",)))

        assert wire.heard[0].path == "/v2/chat"
        assert wire.heard[0].json == {
            "model": "there",
            "messages": [{"role": "user", "content": "Say hello."}],
            "stream": True,
            "temperature": 0.5,
            "p": 0.9,
            "k": 3,
            "max_tokens": 9,
            "stop_sequences": ["E"],
        }

    async def test_the_widest_nucleus_is_just_below_one(self, wire, server):
        wire.answer(self.canned(self.answer_bytes()))

        await ask(server)

        assert wire.heard[0].json["p"] == 0.99

    async def test_a_penalty_above_one_is_refused(self, wire, server):
        with pytest.raises(InvalidRequestError, match="presence_penalty of 1 at most"):
            await ask(server, a_request(presence_penalty=1.5))

    @pytest.mark.parametrize("version", ["", "/", "/v1", "/v2/"])
    async def test_the_name_of_the_client_is_an_option(self, wire, version):
        wire.answer(self.canned(self.answer_bytes()))
        options = {"client_name": "arena"}

        await ask(a_server("cohere", f"{wire.url}{version}", options=options))

        assert wire.heard[0].path == "/v2/chat"
        assert wire.heard[0].headers["x-client-name"] == "arena"

    @pytest.mark.parametrize(
        ("reason", "code"), [("TIMEOUT", "provider_timeout"), ("", "provider_cut_off")]
    )
    async def test_answers_that_end_badly_are_errors(self, wire, server, reason, code):
        wire.answer(self.canned(self.beginning_bytes() + closing(reason)))

        with pytest.raises(ProviderError) as caught:
            await ask(server)

        assert caught.value.code == code

    async def test_a_token_that_is_blocked_is_told_as_one(self, wire, server):
        wire.answer(Canned.of_json({"message": "invalid api token"}, status=498))

        with pytest.raises(ProviderError) as caught:
            await ask(server)

        assert caught.value.code == "provider_key_rejected"
