"""Bedrock's ConverseStream, as its reference and the encoding of event streams document it."""

import hashlib
import hmac

import pytest

from inference.exceptions import InvalidRequestError, ProviderError
from inference.generation import FinishReason, Usage
from inference.providers import aws_signing
from inference.providers.bedrock import Bedrock
from tests.support.dialect_contract import DialectContract
from tests.support.event_stream import event, header, raw_message
from tests.support.wire_server import Canned, a_request, a_server, ask

MODEL = "arn:aws:bedrock:us-west-2::foundation-model/made.up-v1:0"
ACCESS, SECRET, SESSION = "AKIDEXAMPLE", "wJalrXUtnFEMI-EXAMPLE", "session-1"


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


@pytest.fixture
def credentials(monkeypatch):
    monkeypatch.setattr(aws_signing, "_sessions", [])
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", ACCESS)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    monkeypatch.setenv("AWS_SESSION_TOKEN", SESSION)


def sign(key, text):
    return hmac.new(key, text.encode(), hashlib.sha256).digest()


def signature_of(heard, *, region):
    """Compute the signature as a server does, from what came over the wire alone."""
    told = dict(
        part.split("=", 1) for part in heard.headers["authorization"].split(" ", 1)[1].split(", ")
    )
    names = told["SignedHeaders"].split(";")
    canonical = [
        heard.method,
        heard.path.replace("%", "%25"),  # quoted a second time, as for all services but S3
        "",
        *(f"{name}:{heard.headers[name]}" for name in names),
        "",
        told["SignedHeaders"],
        hashlib.sha256(heard.body).hexdigest(),
    ]
    moment = heard.headers["x-amz-date"]
    scope = f"{moment[:8]}/{region}/bedrock/aws4_request"
    digest = hashlib.sha256("\n".join(canonical).encode()).hexdigest()
    key = f"AWS4{SECRET}".encode()
    for part in scope.split("/"):
        key = sign(key, part)
    text = f"AWS4-HMAC-SHA256\n{moment}\n{scope}\n{digest}"
    return told, f"{ACCESS}/{scope}", hmac.new(key, text.encode(), hashlib.sha256).hexdigest()


async def test_without_a_key_the_request_is_signed(wire, credentials):
    wire.answer(Canned((OPENING + said("Yes.") + closing(),), media_type=TestBedrock.media_type))
    server = a_server("bedrock", wire.url, name_there=MODEL, options={"region": "eu-west-3"})

    await ask(server)

    told, scope, signature = signature_of(wire.heard[0], region="eu-west-3")
    assert told["Credential"] == scope
    assert told["Signature"] == signature
    assert wire.heard[0].headers["x-amz-security-token"] == SESSION
    assert {"host", "content-type", "x-amz-date"} <= set(told["SignedHeaders"].split(";"))


async def test_without_credentials_the_operator_is_told(wire, monkeypatch, tmp_path):
    monkeypatch.setattr(aws_signing, "_sessions", [])
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")

    with pytest.raises(ProviderError, match="no credentials for Amazon Bedrock"):
        await ask(a_server("bedrock", wire.url))


@pytest.mark.parametrize(
    ("region", "is_one"),
    [("us-east-1", True), ("us-gov-west-1", True), ("evil.example/", False), (7, False)],
)
def test_a_region_is_a_name_and_no_address(region, is_one):
    assert Bedrock.options["region"](region) is is_one
