"""Yandex's text generation API: a JSON object a line, texts that grow, counts as text."""

import json
from dataclasses import replace

import pytest

from inference.exceptions import InvalidRequestError, ProviderError
from inference.generation import FinishReason
from inference.providers.dialects import dialect_named
from tests.support.dialect_contract import DialectContract
from tests.support.wire_server import FAST, JSON, a_request, a_server, ask


def line(text, status="PARTIAL"):
    alternative = {
        "message": {"role": "assistant", "text": text},
        "status": f"ALTERNATIVE_STATUS_{status}",
    }
    usage = {"inputTextTokens": "11", "completionTokens": "7", "totalTokens": "18"}
    result = {"alternatives": [alternative], "usage": usage, "modelVersion": "made-up"}
    return (json.dumps({"result": result}, ensure_ascii=False) + "\n").encode()


class TestYandex(DialectContract):
    dialect = "yandex"
    media_type = JSON
    options = {"folder_id": "b1g"}
    key_header = ("authorization", "Api-Key {}")

    def answer_bytes(self):
        return line("Grüße") + line("Grüße, 世界") + line("Grüße, 世界! 👋", "FINAL")

    def length_bytes(self):
        return line("Grü", "TRUNCATED_FINAL")

    def beginning_bytes(self):
        return line("Grü")

    def malformed_bytes(self):
        return self.beginning_bytes() + b'{"result": {"alterna\n'

    def error_bytes(self):
        error = {"grpcCode": 14, "httpCode": 503, "message": "unavailable", "details": []}
        return json.dumps({"error": error}).encode() + b"\n", "provider_unavailable"

    def rate_limit_body(self):
        return {"error": {"grpcCode": 8, "httpCode": 429, "message": "quota", "details": []}}

    def messages_of(self, heard):
        return [(turn["role"], turn["text"]) for turn in heard.json["messages"]]

    async def test_a_request_is_what_the_page_shows(self, wire, server):
        wire.answer(self.canned(self.answer_bytes()))

        await ask(server, a_request(temperature=0.5, max_tokens=9))

        assert wire.heard[0].path == "/foundationModels/v1/completion"
        assert wire.heard[0].headers["x-folder-id"] == "b1g"
        assert wire.heard[0].json == {
            "modelUri": "gpt://b1g/there",
            "completionOptions": {"stream": True, "temperature": 0.5, "maxTokens": "9"},
            "messages": [{"role": "user", "text": "Say hello."}],
        }

    async def test_the_address_fastchats_files_name_is_taken(self, wire):
        wire.answer(self.canned(self.answer_bytes()))
        url = f"{wire.url}/foundationModels/v1/completion"
        options = {"folder_id": "b1g", "iam_token": True}

        await ask(a_server("yandex", url, name_there="gpt://b1h/yandexgpt/rc", options=options))

        assert wire.heard[0].path == "/foundationModels/v1/completion"
        assert wire.heard[0].json["modelUri"] == "gpt://b1h/yandexgpt/rc"

    async def test_an_answer_that_a_filter_ended_is_told_as_one(self, wire, server):
        wire.answer(self.canned(line("Well") + line("I cannot say.", "CONTENT_FILTER")))

        with pytest.raises(ProviderError) as caught:
            await ask(server)

        assert caught.value.code == "content_filtered"

    async def test_answers_are_cut_at_stop_strings_here(self, wire, server):
        wire.answer(self.canned(line("One, t") + line("One, two, three", "FINAL")))

        told = await ask(server, a_request(stop=("two",)))

        assert (told.text, told.finish_reason) == ("One, ", FinishReason.STOP)
        assert "stop" not in wire.heard[0].json["completionOptions"]

    async def test_an_answer_may_be_told_again_and_again(self, wire, server):
        text = "word " * 2_000
        lines = [line(text[: end * 5]) for end in range(1, 2_000)]
        wire.answer(self.canned(b"".join([*lines, line(text, "FINAL")])))

        told = await ask(server, limits=replace(FAST, answer_bytes=2_000_000))

        assert told.text == text

    async def test_an_iam_token_is_a_bearer_and_nothing_need_be_kept(self, wire, monkeypatch):
        monkeypatch.setenv("WIRE_KEY", "t1.made-up")
        wire.answer(self.canned(self.answer_bytes()))
        options = {"folder_id": "b1g", "iam_token": True, "data_logging": False}

        await ask(a_server("yandex", wire.url, key_variable="WIRE_KEY", options=options))

        assert wire.heard[0].headers["authorization"] == "Bearer t1.made-up"
        assert wire.heard[0].headers["x-data-logging-enabled"] == "false"

    @pytest.mark.parametrize("params", [{"temperature": 1.5}, {"top_p": 0.5}, {"seed": 4}])
    async def test_what_the_api_does_not_take_is_refused(self, wire, server, params):
        with pytest.raises(InvalidRequestError, match=next(iter(params))):
            await ask(server, a_request(**params))


def test_a_folder_is_needed():
    server = a_server("yandex", "https://example.org")

    with pytest.raises(InvalidRequestError, match="folder_id"):
        dialect_named("yandex").check(server)
