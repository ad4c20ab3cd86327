"""Bedrock's ConverseStream, as its reference and the encoding of event streams document it."""

import asyncio

import pytest
from botocore.config import Config
from botocore.session import get_session

from inference.exceptions import InvalidRequestError, ProviderError
from inference.generation import FinishReason, GenerationRequest, SamplingParams, Usage
from inference.messages import Message, Role, TextPart
from inference.providers.bedrock import Bedrock
from tests.support.dialect_contract import PIXEL, DialectContract
from tests.support.dialect_under_test import ANSWER, PIXEL_BASE64
from tests.support.event_stream import event, header, raw_message
from tests.support.wire_server import Canned, a_request, a_server, ask

MODEL = "arn:aws:bedrock:us-west-2::foundation-model/made.up-v1:0"


def said(*texts):
    return b"".join(
        event("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": text}})
        for text in texts
    )


def closing(reason="end_turn", **usage):
    usage = {"inputTokens": 11, "outputTokens": 7, "totalTokens": 18, **usage}
    return (
        event("contentBlockStop", {"contentBlockIndex": 0})
        + event("messageStop", {"stopReason": reason})
        + event("metadata", {"usage": usage, "metrics": {"latencyMs": 3}})
    )


OPENING = event("messageStart", {"role": "assistant"})


class TestBedrock(DialectContract):
    dialect = "bedrock"
    picture = {"image": {"format": "png", "source": {"bytes": PIXEL_BASE64}}}
    media_type = "application/vnd.amazon.eventstream"
    options = {"region": "us-west-2"}

    def answer_bytes(self):
        return OPENING + said("Grüße", ", 世界", "! 👋") + closing()

    def length_bytes(self):
        return OPENING + said("Grü") + closing("max_tokens")

    def beginning_bytes(self):
        return OPENING + said("Grü")

    def malformed_bytes(self):
        damaged = bytearray(said("ße"))
        damaged[-9] ^= 1
        return self.beginning_bytes() + bytes(damaged)

    def error_bytes(self):
        words = {"message": "Too many tokens, please wait."}
        told = event("throttlingException", words, message_type="exception")
        return told, "provider_rate_limited"

    def messages_of(self, heard):
        body = heard.json
        system = [("system", block["text"]) for block in body.get("system", [])]
        return system + [(turn["role"], turn["content"][0]["text"]) for turn in body["messages"]]

    async def test_a_request_is_what_the_page_shows(self, wire, monkeypatch):
        monkeypatch.setenv("WIRE_KEY", "bedrock-api-key")
        server = a_server("bedrock", wire.url, name_there=MODEL, key_variable="WIRE_KEY")
        wire.answer(self.canned(self.answer_bytes()))

        await ask(server, a_request(temperature=0.5, top_p=0.9, max_tokens=9, stop=("E",)))

        heard = wire.heard[0]
        name = "arn%3Aaws%3Abedrock%3Aus-west-2%3A%3Afoundation-model%2Fmade.up-v1%3A0"
        assert heard.path == f"/model/{name}/converse-stream"
        assert heard.headers["authorization"] == "Bearer bedrock-api-key"
        assert heard.json == {
            "messages": [{"role": "user", "content": [{"text": "Say hello."}]}],
            "inferenceConfig": {
                "temperature": 0.5,
                "topP": 0.9,
                "maxTokens": 9,
                "stopSequences": ["E"],
            },
        }

    async def test_a_prompt_in_the_cache_is_counted(self, wire, server):
        end = closing(cacheReadInputTokens=100, cacheWriteInputTokens=20)
        wire.answer(self.canned(OPENING + said("Yes.") + end))

        assert (await ask(server)).usage == Usage(131, 7, cached_tokens=100)

    async def test_events_of_the_future_are_passed_over(self, wire, server):
        new = event("glow", {"hue": 3})
        wire.answer(self.canned(OPENING + new + said("Yes.") + closing("something_new")))

        told = await ask(server)

        assert (told.text, told.finish_reason) == ("Yes.", FinishReason.STOP)

    @pytest.mark.parametrize("reason", ["guardrail_intervened", "content_filtered"])
    async def test_an_answer_that_a_filter_ended_is_told_as_one(self, wire, server, reason):
        wire.answer(self.canned(OPENING + said("Well, ") + closing(reason)))

        with pytest.raises(ProviderError) as caught:
            await ask(server)

        assert caught.value.code == "content_filtered"

    @pytest.mark.parametrize(
        ("kind", "words", "code"),
        [
            ("modelStreamErrorException", "broken", "provider_unavailable"),
            ("validationException", "Input is too long for the model.", "context_length_exceeded"),
            ("validationException", "An odd field.", "invalid_request"),
            ("exceptionOfTheFuture", "?", "provider_cut_off"),
        ],
    )
    async def test_exceptions_in_the_stream_have_their_codes(self, wire, server, kind, words, code):
        told = event(kind, {"message": words}, message_type="exception")
        wire.answer(self.canned(self.beginning_bytes() + told))

        with pytest.raises(ProviderError) as caught:
            await ask(server)

        assert caught.value.code == code

    async def test_an_error_message_of_the_encoding_ends_the_answer(self, wire, server):
        headers = header(":message-type", "error") + header(":error-code", "500")
        told = raw_message(headers + header(":error-message", "lost"), b"")
        wire.answer(self.canned(self.beginning_bytes() + told))

        with pytest.raises(ProviderError) as caught:
            await ask(server)

        assert (caught.value.code, caught.value.detail) == ("provider_cut_off", "lost")

    @pytest.mark.parametrize(
        ("status", "words", "code"),
        [
            (400, "The provided model identifier is invalid.", "provider_model_not_found"),
            (424, "The model failed.", "provider_unavailable"),
        ],
    )
    async def test_bedrocks_own_refusals_have_their_codes(self, wire, server, status, words, code):
        wire.answer(Canned.of_json({"message": words}, status=status, Retry_After="9"))

        with pytest.raises(ProviderError) as caught:
            await ask(server)

        assert caught.value.code == code

    async def test_a_temperature_above_the_highest_is_refused(self, wire, server):
        with pytest.raises(InvalidRequestError, match="temperature of 1 at most"):
            await ask(server, a_request(temperature=1.5))


def converse(url, **request):
    """Ask with Amazon's own client; return the text it read."""
    client = get_session().create_client(
        "bedrock-runtime",
        region_name="eu-west-3",
        endpoint_url=url,
        config=Config(retries={"total_max_attempts": 1}),
    )
    stream = client.converse_stream(modelId=MODEL, **request)["stream"]
    events = list(stream)
    client.close()
    return "".join(
        event.get("contentBlockDelta", {"delta": {"text": ""}})["delta"]["text"] for event in events
    )


async def test_amazons_own_client_asks_and_reads_the_same(wire, aws_credentials):
    answer = Canned((TestBedrock().answer_bytes(),), media_type=TestBedrock.media_type)
    wire.answer(answer)
    message = Message.of_parts(Role.USER, [TextPart("What is this?"), PIXEL])
    system = Message(Role.SYSTEM, "Be brief.")
    params = SamplingParams(temperature=0.5, top_p=0.9, max_tokens=9, stop=("E",))
    server = a_server("bedrock", wire.url, name_there=MODEL, takes_images=True)

    await ask(server, GenerationRequest("here", (system, message), params))
    image = {"format": "png", "source": {"bytes": PIXEL.data}}
    text = await asyncio.to_thread(
        converse,
        wire.url,
        messages=[{"role": "user", "content": [{"text": "What is this?"}, {"image": image}]}],
        system=[{"text": "Be brief."}],
        inferenceConfig={"temperature": 0.5, "topP": 0.9, "maxTokens": 9, "stopSequences": ["E"]},
    )

    ours, theirs = wire.heard
    assert text == ANSWER
    assert (ours.method, ours.path, ours.json) == (theirs.method, theirs.path, theirs.json)
    assert ours.headers["content-type"] == theirs.headers["content-type"]


@pytest.mark.parametrize(
    ("region", "is_one"),
    [
        ("us-east-1", True),
        ("us-gov-west-1", True),
        ("eusc-de-east-1", True),
        ("evil.example/", False),
        (7, False),
    ],
)
def test_a_region_is_a_name_and_no_address(region, is_one):
    assert Bedrock.options["region"](region) is is_one
