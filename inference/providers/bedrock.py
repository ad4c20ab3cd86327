"""Amazon Bedrock's ConverseStream: one dialect for the models of many makers.

    → POST {url}/model/{model}/converse-stream   Authorization: Bearer …, or a signature
      {"messages": [{"role", "content": [{"text"} | {"image"}]}], "system", "inferenceConfig"}
    ← a binary event stream: contentBlockDelta {"delta": {"text"}}, messageStop {"stopReason"},
      metadata {"usage": {"inputTokens", "outputTokens"}}, or an exception

Source:
    https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ConverseStream.html,
    https://docs.aws.amazon.com/bedrock/latest/userguide/api-keys-use.html.
"""

import re
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import replace
from types import MappingProxyType
from typing import Any, ClassVar
from urllib.parse import quote

from inference.exceptions import ProviderError
from inference.generation import FinishReason, GenerationRequest, Usage
from inference.messages import ImagePart, Message
from inference.providers.aws_signing import check_botocore, signed_headers
from inference.providers.dialect import Check, Dialect, Piece, joined, json_request
from inference.providers.event_stream import EventStreamDecoder, EventStreamError, StreamMessage
from inference.providers.parameters import check_at_most, wire_params
from inference.providers.reading import count_at, object_at, text_at, usage_of
from inference.providers.server import Server
from inference.providers.turns import base64_of, in_turns, parts_of
from inference.providers.wire.client import WireRequest
from inference.providers.wire.faults import fault, fault_of_response, fault_of_words
from inference.providers.wire.response import WireResponse, parse_object

HOTTEST = 1.0
REGION = "us-east-1"
REGION_FORM = re.compile(r"[a-z]{2,5}(-[a-z]{2,12}){1,3}-\d{1,2}")
EVENT_STREAM = "application/vnd.amazon.eventstream"
MODEL_FAILED = 424
FINISH_REASONS = {
    "max_tokens": FinishReason.LENGTH,
    "model_context_window_exceeded": FinishReason.LENGTH,
}
WITHHELD = frozenset({"guardrail_intervened", "content_filtered"})
EXCEPTIONS = {
    "internalServerException": "provider_unavailable",
    "modelStreamErrorException": "provider_unavailable",
    "modelTimeoutException": "provider_timeout",
    "serviceUnavailableException": "provider_unavailable",
    "throttlingException": "provider_rate_limited",
}


def is_region(value: Any) -> bool:
    """Tell whether an option is the name of a region."""
    return isinstance(value, str) and REGION_FORM.fullmatch(value) is not None


def address_of(region: str) -> str:
    """Return where Bedrock is in a region."""
    return f"https://bedrock-runtime.{region}.amazonaws.com"


class Bedrock(Dialect):
    """Bedrock in the region of the option `region`.

    With a key, requests carry it as a bearer; without one, botocore finds the credentials of the
    machine and signs them.
    """

    default_url: ClassVar[str] = address_of(REGION)
    needs_key: ClassVar[bool] = False
    takes: ClassVar[Mapping[str, str]] = MappingProxyType(
        {
            "temperature": "temperature",
            "top_p": "topP",
            "max_tokens": "maxTokens",
            "stop": "stopSequences",
        }
    )
    takes_images: ClassVar[bool] = True
    options: ClassVar[Mapping[str, Check]] = MappingProxyType({"region": is_region})

    def check(self, server: Server) -> None:
        """Return if endpoints can look like this here; see `Dialect.check`."""
        super().check(server)
        if not server.key_variable:
            check_botocore()

    async def prepare(self, server: Server, request: GenerationRequest) -> WireRequest:
        """Return the request, signed where there is no key; see `Dialect.prepare`."""
        region = str(server.options.get("region", REGION))
        base = address_of(region) if server.url == self.default_url else server.url
        # Names hold colons and slashes; signature and address must agree on how they are quoted.
        url = joined(base, f"model/{quote(server.name_there, safe='')}/converse-stream")
        ready = json_request(
            url, converse_body(server, request, takes=self.takes), {}, server=server
        )
        if key := server.key():
            return replace(ready, headers={**ready.headers, "Authorization": f"Bearer {key}"})
        headers = await signed_headers(
            url=url, region=region, body=ready.content, headers=ready.headers
        )
        return replace(ready, headers=headers)

    async def read(self, response: WireResponse) -> AsyncGenerator[Piece, None]:
        """Yield the pieces; see `Dialect.read`."""
        response.expect(EVENT_STREAM)
        decoder = EventStreamDecoder()
        async with aclosing(response.chunks()) as chunks:
            try:
                async for chunk in chunks:
                    for message in decoder.feed(chunk):
                        yield piece_of(message)
                decoder.close()
            except EventStreamError as error:
                raise fault("provider_protocol", str(error)) from error

    def fault(self, status: int, headers: Mapping[str, str], body: bytes) -> ProviderError:
        """Return what an error status means; here 424 tells that the model itself failed."""
        error = fault_of_response(500 if status == MODEL_FAILED else status, headers, body)
        if error.code == "invalid_request" and "model identifier" in error.detail:
            return fault("provider_model_not_found", error.detail)
        return error


def converse_body(
    server: Server, request: GenerationRequest, *, takes: Mapping[str, str]
) -> dict[str, Any]:
    """Return what a request says.

    Raises:
        InvalidRequestError: a parameter or a message is not taken there.
    """
    check_at_most(HOTTEST, request.params, "temperature", server=server)
    conversation = in_turns(request.messages)
    body: dict[str, Any] = {
        "messages": [turn(message) for message in conversation.turns],
        "inferenceConfig": {
            **object_at(dict(server.extra_body), "inferenceConfig"),
            **wire_params(request.params, server, takes=takes),
        },
    }
    if conversation.system:
        body["system"] = [{"text": conversation.system}]
    return body


def turn(message: Message) -> dict[str, Any]:
    """Return one message with its blocks of text and images."""
    blocks: list[dict[str, Any]] = []
    for part in parts_of(message):
        if isinstance(part, ImagePart):
            kind = part.media_type.removeprefix("image/")
            blocks.append({"image": {"format": kind, "source": {"bytes": base64_of(part)}}})
        else:
            blocks.append({"text": part.text})
    return {"role": message.role.value, "content": blocks}


def piece_of(message: StreamMessage) -> Piece:
    """Return what one event adds.

    Raises:
        ProviderError: it is an exception, or a filter ended the answer.
    """
    kind = message.header(":message-type")
    if kind == "error":
        words = message.header(":error-message")
        raise fault(fault_of_words(words, default="provider_cut_off"), words)
    data = parse_object(message.payload.decode(errors="replace"))
    if kind == "exception":
        raise exception_of(message.header(":exception-type"), text_at(data, "message"))
    match message.header(":event-type"):
        case "contentBlockDelta":
            return Piece(text_at(data, "delta", "text"))
        case "messageStop":
            return Piece(finish_reason=finish_reason(text_at(data, "stopReason")))
        case "metadata":
            return Piece(usage=usage_in(data))
        case _:
            return Piece()


def usage_in(data: dict[str, Any]) -> Usage | None:
    """Return the counts in a metadata event; what a cache held counts as prompt."""
    cached = count_at(data, "usage", "cacheReadInputTokens")
    fresh = ("inputTokens", "cacheWriteInputTokens")
    return usage_of(
        prompt=cached + sum(count_at(data, "usage", name) for name in fresh),
        completion=count_at(data, "usage", "outputTokens"),
        cached=cached,
    )


def finish_reason(reason: str) -> FinishReason:
    """Return why an answer ended.

    Raises:
        ProviderError: a filter ended it.
    """
    if reason in WITHHELD:
        raise fault("content_filtered", f"stopReason {reason}")
    return FINISH_REASONS.get(reason, FinishReason.STOP)


def exception_of(kind: str, words: str) -> ProviderError:
    """Return what an exception in the stream means."""
    if kind == "validationException":
        code = fault_of_words(words, default="invalid_request")
    else:
        code = EXCEPTIONS.get(kind, "provider_cut_off")
    return fault(code, f"{kind}: {words}", told=words if code == "invalid_request" else "")
