"""Mistral's chat completions: what differs from OpenAI's."""

import pytest

from inference.exceptions import InvalidRequestError, ProviderError
from inference.generation import FinishReason
from tests.support.dialect_contract import DialectContract
from tests.support.dialect_under_test import PIXEL_BASE64
from tests.support.wire_server import Canned, a_request, a_server, ask, sse


def chunk(content, reason=None, **more):
    choice = {"index": 0, "delta": {"content": content}, "finish_reason": reason}
    return {"id": "1", "object": "chat.completion.chunk", "choices": [choice], **more}


COUNTS = {"usage": {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18}}


class TestMistral(DialectContract):
    dialect = "mistral"
    picture = {
        "type": "image_url",
        "image_url": {"url": f"data:image/png;base64,{PIXEL_BASE64}"},
    }

    def answer_bytes(self):
        chunks = [chunk("Grüße"), chunk(", 世界"), chunk("! 👋", "stop", **COUNTS)]
        return sse(*chunks, ends_with="[DONE]")

    def length_bytes(self):
        return sse(chunk("Grü"), chunk("", "model_length", **COUNTS), ends_with="[DONE]")

    def beginning_bytes(self):
        return sse(chunk("Grü"))

    def error_bytes(self):
        return sse(chunk("", "error")), "provider_cut_off"

    def rate_limit_body(self):
        return {"object": "error", "message": "Requests rate limit exceeded", "code": "1300"}

    def messages_of(self, heard):
        return [(turn["role"], turn["content"]) for turn in heard.json["messages"]]

    async def test_a_request_is_what_the_page_shows(self, wire):
        wire.answer(self.canned(self.answer_bytes()))
        server = a_server("mistral", wire.url, options={"safe_prompt": True})

        await ask(server, a_request(temperature=0.5, top_p=0.9, max_tokens=9, stop=("E",), seed=4))

        assert wire.heard[0].path == "/chat/completions"
        assert wire.heard[0].json == {
            "model": "there",
            "messages": [{"role": "user", "content": "Say hello."}],
            "stream": True,
            "temperature": 0.5,
            "top_p": 0.9,
            "max_tokens": 9,
            "stop": ["E"],
            "random_seed": 4,
            "safe_prompt": True,
        }

    async def test_a_temperature_above_the_highest_is_refused(self, wire, server):
        with pytest.raises(InvalidRequestError, match=r"temperature of 1\.5 at most"):
            await ask(server, a_request(temperature=1.8))

    async def test_what_the_model_thinks_is_not_part_of_the_answer(self, wire, server):
        thought = [{"type": "thinking", "thinking": [{"type": "text", "text": "Hm."}]}]
        answer = [{"type": "text", "text": "Yes."}]
        wire.answer(self.canned(sse(chunk(thought), chunk(answer, "stop", **COUNTS))))

        told = await ask(server)

        assert (told.text, told.finish_reason) == ("Yes.", FinishReason.STOP)

    async def test_a_field_that_is_refused_is_told(self, wire, server):
        detail = [{"type": "extra_forbidden", "loc": ["body", "made_up"], "msg": "not permitted"}]
        wire.answer(Canned.of_json({"detail": detail}, status=422))

        with pytest.raises(ProviderError, match="not permitted") as caught:
            await ask(server)

        assert caught.value.code == "invalid_request"
