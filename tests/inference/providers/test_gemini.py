"""The Gemini API, as its page on generating content documents it."""

from dataclasses import replace

import pytest

from inference.exceptions import ProviderError
from inference.generation import FinishReason, Usage
from inference.providers.gemini import Gemini
from tests.support.dialect_contract import DialectContract
from tests.support.dialect_under_test import ANSWER, PIXEL_BASE64
from tests.support.wire_server import FAST, JSON, Canned, a_request, a_server, ask, sse

COUNTS = {"promptTokenCount": 11, "candidatesTokenCount": 5, "thoughtsTokenCount": 2}


def chunk(text, reason=None, *, counts=None, **part):
    content = {"role": "model", "parts": [{"text": text, **part}]}
    candidate = {"content": content, "index": 0, **({"finishReason": reason} if reason else {})}
    return {
        "candidates": [candidate],
        "modelVersion": "there-001",
        "usageMetadata": counts or {"promptTokenCount": 11, "totalTokenCount": 11},
    }


class TestGemini(DialectContract):
    dialect = "gemini"
    picture = {"inlineData": {"mimeType": "image/png", "data": PIXEL_BASE64}}
    key_header = ("x-goog-api-key", "{}")

    def answer_bytes(self):
        return sse(chunk("Grüße"), chunk(", 世界"), chunk("! 👋", "STOP", counts=COUNTS))

    def length_bytes(self):
        return sse(chunk("Grü", "MAX_TOKENS"))

    def beginning_bytes(self):
        return sse(chunk("Grü"))

    def error_bytes(self):
        error = {"code": 503, "message": "The model is overloaded.", "status": "UNAVAILABLE"}
        return sse({"error": error}), "provider_unavailable"

    def rate_limit_body(self):
        return {"error": {"code": 429, "message": "quota", "status": "RESOURCE_EXHAUSTED"}}

    def messages_of(self, heard):
        body = heard.json
        system = [
            ("system", part["text"]) for part in body.get("systemInstruction", {}).get("parts", [])
        ]
        roles = {"user": "user", "model": "assistant"}
        return system + [
            (roles[turn["role"]], turn["parts"][0]["text"]) for turn in body["contents"]
        ]

    async def test_a_request_is_what_the_page_shows(self, wire, server):
        wire.answer(self.canned(self.answer_bytes()))

        await ask(server, a_request(temperature=0.5, top_k=3, max_tokens=99, stop=("END",), seed=4))

        heard = wire.heard[0]
        assert heard.path == "/v1beta/models/there:streamGenerateContent?alt=sse"
        assert heard.json["generationConfig"] == {
            "temperature": 0.5,
            "topP": 1.0,
            "topK": 3,
            "maxOutputTokens": 99,
            "stopSequences": ["END"],
            "seed": 4,
        }
        assert {entry["threshold"] for entry in heard.json["safetySettings"]} == {"BLOCK_NONE"}
        assert len(heard.json["safetySettings"]) == 4

    async def test_the_threshold_of_the_filters_is_an_option(self, wire, server):
        wire.answer(self.canned(self.answer_bytes()))

        await ask(replace(server, options={**self.options, "safety": "BLOCK_ONLY_HIGH"}))

        settings = wire.heard[0].json["safetySettings"]
        assert {entry["threshold"] for entry in settings} == {"BLOCK_ONLY_HIGH"}

    async def test_settings_of_the_endpoint_join_ours(self, wire, server):
        wire.answer(self.canned(self.answer_bytes()))
        extra = {"generationConfig": {"thinkingConfig": {"thinkingBudget": 0}, "temperature": 2}}

        await ask(
            replace(server, extra_body=extra),
            a_request(temperature=0.5),
        )

        settings = wire.heard[0].json["generationConfig"]
        assert settings["thinkingConfig"] == {"thinkingBudget": 0}
        assert settings["temperature"] == 0.5

    async def test_what_the_model_thinks_is_not_part_of_the_answer(self, wire, server):
        wire.answer(self.canned(sse(chunk("Hm.", thought=True), chunk("Yes.", "STOP"))))

        assert (await ask(server)).text == "Yes."

    @pytest.mark.parametrize("reason", ["SAFETY", "RECITATION", "PROHIBITED_CONTENT"])
    async def test_an_answer_that_a_filter_ended_is_told_as_one(self, wire, server, reason):
        wire.answer(self.canned(sse(chunk("Well, "), {"candidates": [{"finishReason": reason}]})))

        with pytest.raises(ProviderError) as caught:
            await ask(server)

        assert caught.value.code == "content_filtered"

    async def test_a_prompt_that_is_blocked_is_told_as_one(self, wire, server):
        wire.answer(self.canned(sse({"promptFeedback": {"blockReason": "SAFETY"}})))

        with pytest.raises(ProviderError) as caught:
            await ask(server)

        assert caught.value.code == "content_filtered"

    async def test_a_wrong_key_is_a_bad_request_here_and_yet_told_as_one(self, wire, server):
        words = "API key not valid. Please pass a valid API key."
        body = {"error": {"code": 400, "message": words, "status": "INVALID_ARGUMENT"}}
        wire.answer(Canned.of_json(body, status=400))

        with pytest.raises(ProviderError) as caught:
            await ask(server)

        assert caught.value.code == "provider_key_rejected"

    async def test_the_wait_in_an_errors_body_is_honoured(self, wire, server):
        info = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "3600s"}
        body = {"error": {"code": 429, "message": "slow down", "details": [{}, info]}}
        wire.answer(Canned.of_json(body, status=429))

        with pytest.raises(ProviderError) as caught:
            await ask(server)

        assert (caught.value.code, caught.value.retry_after_s) == ("provider_rate_limited", 3600)
        assert len(wire.heard) == 1

    async def test_names_with_their_folder_are_taken(self, wire, server):
        wire.answer(self.canned(self.answer_bytes()))

        await ask(replace(server, name_there="models/g-2.5"))

        assert wire.heard[0].path.endswith("/models/g-2.5:streamGenerateContent?alt=sse")

    @pytest.mark.parametrize("parts", [7, "text", [7, None, {"text": 5}], {"text": "x"}])
    async def test_odd_parts_count_as_nothing(self, wire, server, parts):
        odd = {"candidates": [{"content": {"parts": parts}}], "usageMetadata": "odd"}
        wire.answer(self.canned(sse(odd, chunk("Yes.", "STOP"))))

        assert (await ask(server)).text == "Yes."


async def test_a_whole_answer_is_asked_for_at_once(wire):
    wire.answer(Canned.of_json(chunk(ANSWER, "STOP", counts=COUNTS)))

    told = await ask(a_server("gemini", wire.url, options={"stream": False}))

    assert wire.heard[0].path == "/v1beta/models/there:generateContent"
    assert (told.text, told.finish_reason, told.usage) == (
        ANSWER,
        FinishReason.STOP,
        Usage(11, 7),
    )


async def test_half_a_whole_answer_is_an_error(wire):
    wire.answer(Canned((b'{"candidates": [',), media_type=JSON))

    with pytest.raises(ProviderError) as caught:
        await ask(a_server("gemini", wire.url, options={"stream": False}))

    assert caught.value.code == "provider_protocol"


@pytest.mark.parametrize("body", [b"slow down", b"[" * 100_000, b'{"error": {"details": [{}, 7]}}'])
async def test_a_refusal_in_any_form_is_told_without_a_wait(wire, body):
    wire.answer(Canned((body,), status=429, media_type=JSON))

    with pytest.raises(ProviderError) as caught:
        await ask(a_server("gemini", wire.url), limits=replace(FAST, tries=1))

    assert (caught.value.code, caught.value.retry_after_s) == ("provider_rate_limited", None)


@pytest.mark.parametrize(("dialect", "name"), [("gemini", "topP"), ("cohere", "p")])
async def test_a_parameter_the_endpoint_drops_is_not_sent(wire, dialect, name):
    wire.answer(Canned.of_json({}, status=404))
    server = a_server(dialect, wire.url, dropped_params=frozenset({"top_p", "temperature"}))

    with pytest.raises(ProviderError):
        await ask(server)

    sent = wire.heard[0].json
    assert not {name, "temperature"} & {*sent, *sent.get("generationConfig", {})}


@pytest.mark.parametrize(("value", "is_one"), [("OFF", True), ("off", False), ([], False)])
def test_a_threshold_is_one_of_googles(value, is_one):
    assert Gemini.options["safety"](value) is is_one
