"""Anthropic's Messages API, as its pages on messages, streaming and errors document it."""

from dataclasses import replace

import pytest

from inference.exceptions import InvalidRequestError, ProviderError
from inference.generation import FinishReason, Usage
from tests.support.dialect_contract import DialectContract
from tests.support.dialect_under_test import ANSWER, PIXEL_BASE64
from tests.support.wire_server import Canned, a_request, a_server, ask, named_sse


def opening(**usage):
    usage = {"input_tokens": 11, "output_tokens": 1, **usage}
    message = {"id": "msg_1", "role": "assistant", "content": [], "usage": usage}
    block = {
        "type": "content_block_start",
        "index": 0,
        "content_block": {"type": "text", "text": ""},
    }
    return named_sse(
        ("message_start", {"type": "message_start", "message": message}),
        ("content_block_start", block),
        ("ping", {"type": "ping"}),
    )


def said(*texts, kind="text"):
    return named_sse(
        *(
            (
                "content_block_delta",
                {
                    "type": "content_block_delta",
                    "index": 0,
                    "delta": {"type": f"{kind}_delta", kind: text},
                },
            )
            for text in texts
        )
    )


def closing(reason="end_turn", output_tokens=7):
    delta = {"stop_reason": reason, "stop_sequence": None}
    usage = {"output_tokens": output_tokens}
    return named_sse(
        ("content_block_stop", {"type": "content_block_stop", "index": 0}),
        ("message_delta", {"type": "message_delta", "delta": delta, "usage": usage}),
        ("message_stop", {"type": "message_stop"}),
    )


def error(kind, message="made up"):
    return named_sse(("error", {"type": "error", "error": {"type": kind, "message": message}}))


class TestAnthropic(DialectContract):
    dialect = "anthropic"
    picture = {
        "type": "image",
        "source": {"type": "base64", "media_type": "image/png", "data": PIXEL_BASE64},
    }
    key_header = ("x-api-key", "{}")

    def answer_bytes(self):
        return opening() + said("Grüße", ", 世界", "! 👋") + closing()

    def length_bytes(self):
        return opening() + said("Grü") + closing("max_tokens")

    def beginning_bytes(self):
        return opening() + said("Grü")

    def error_bytes(self):
        return error("overloaded_error"), "provider_unavailable"

    def rate_limit_body(self):
        return {"type": "error", "error": {"type": "rate_limit_error", "message": "slow down"}}

    def messages_of(self, heard):
        body = heard.json
        system = [("system", body["system"])] if "system" in body else []
        turns = [(turn["role"], turn["content"][0]["text"]) for turn in body["messages"]]
        return system + turns

    async def test_a_request_is_what_the_page_shows(self, wire, server):
        wire.answer(self.canned(self.answer_bytes()))

        await ask(server, a_request(temperature=0.5, top_k=3, max_tokens=99, stop=("END",)))

        heard = wire.heard[0]
        assert heard.path == "/v1/messages"
        assert heard.headers["anthropic-version"] == "2023-06-01"
        assert heard.json == {
            "model": "there",
            "messages": [{"role": "user", "content": [{"type": "text", "text": "Say hello."}]}],
            "stream": True,
            "temperature": 0.5,
            "top_k": 3,
            "max_tokens": 99,
            "stop_sequences": ["END"],
        }

    async def test_a_limit_is_always_sent(self, wire, server):
        wire.answer(self.canned(self.answer_bytes()))

        await ask(server)

        assert wire.heard[0].json["max_tokens"] == 4096

    @pytest.mark.parametrize("name", ["claude-opus-4-7", "claude-sonnet-5", "claude-haiku-5-5"])
    async def test_models_that_choose_their_sampling_are_not_told_any(self, wire, server, name):
        wire.answer(self.canned(self.answer_bytes()))

        await ask(replace(server, name_there=name), a_request(temperature=1.5, top_p=0.5))

        assert not {"temperature", "top_p"} & set(wire.heard[0].json)

    @pytest.mark.parametrize("name", ["claude-3-5-haiku-20241022", "claude-opus-4-6"])
    async def test_a_temperature_claude_does_not_take_is_refused(self, server, name):
        with pytest.raises(InvalidRequestError, match="temperature of 1 at most"):
            await ask(replace(server, name_there=name), a_request(temperature=1.5))

    async def test_what_the_model_thinks_is_not_part_of_the_answer(self, wire, server):
        thought = said("Hm.", kind="thinking") + said("abc", kind="signature")
        wire.answer(self.canned(opening() + thought + said("Yes.") + closing()))

        assert (await ask(server)).text == "Yes."

    async def test_a_prompt_in_the_cache_is_counted(self, wire, server):
        start = opening(cache_read_input_tokens=100, cache_creation_input_tokens=20)
        wire.answer(self.canned(start + said("Yes.") + closing()))

        assert (await ask(server)).usage == Usage(131, 7, cached_tokens=100)

    async def test_events_of_the_future_are_passed_over(self, wire, server):
        new = named_sse(("content_glow", {"type": "content_glow", "delta": {"hue": 3}}))
        wire.answer(self.canned(opening() + new + said("Yes.") + closing("something_new")))

        told = await ask(server)

        assert (told.text, told.finish_reason) == ("Yes.", FinishReason.STOP)

    async def test_a_refusal_is_told_as_one(self, wire, server):
        wire.answer(self.canned(opening() + said("Well, ") + closing("refusal")))

        with pytest.raises(ProviderError) as caught:
            await ask(server)

        assert caught.value.code == "content_filtered"

    @pytest.mark.parametrize(
        ("kind", "code"),
        [
            ("rate_limit_error", "provider_rate_limited"),
            ("authentication_error", "provider_key_rejected"),
            ("billing_error", "provider_quota_exceeded"),
            ("request_too_large", "context_length_exceeded"),
            ("error_of_the_future", "provider_unavailable"),
        ],
    )
    async def test_errors_in_the_stream_have_their_codes(self, wire, server, kind, code):
        wire.answer(self.canned(self.beginning_bytes() + error(kind)))

        with pytest.raises(ProviderError) as caught:
            await ask(server)

        assert caught.value.code == code

    async def test_an_overload_before_the_first_word_is_tried_again(self, wire, server):
        overload = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
        wire.answer(
            Canned.of_json(overload, status=529, Retry_After="0"),
            self.canned(self.answer_bytes()),
        )

        assert (await ask(server)).text == ANSWER

    async def test_a_prompt_that_is_too_long_is_told_as_one(self, wire, server):
        words = "prompt is too long: 210000 tokens > 200000 maximum"
        body = {"type": "error", "error": {"type": "invalid_request_error", "message": words}}
        wire.answer(Canned.of_json(body, status=400))

        with pytest.raises(ProviderError) as caught:
            await ask(server)

        assert caught.value.code == "context_length_exceeded"


async def test_version_and_beta_are_options(wire):
    wire.answer(Canned((opening() + said("Yes.") + closing(),)))
    options = {"version": "2026-10-21", "beta": "made-up-2026"}

    await ask(a_server("anthropic", f"{wire.url}/v1/", options=options))

    heard = wire.heard[0]
    assert heard.path == "/v1/messages"
    assert heard.headers["anthropic-version"] == "2026-10-21"
    assert heard.headers["anthropic-beta"] == "made-up-2026"
    assert "x-api-key" not in heard.headers
