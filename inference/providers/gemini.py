"""Google's Gemini API.

    → POST {url}/models/{model}:streamGenerateContent?alt=sse   x-goog-api-key
      {"systemInstruction", "contents": [{"role": "user" | "model", "parts": [part…]}],
       "generationConfig", "safetySettings"}
    ← data: {"candidates": [{"content": {"parts": [{"text": …}]}, "finishReason": …}],
             "usageMetadata": {"promptTokenCount", "candidatesTokenCount", "thoughtsTokenCount"}}
      `:generateContent` gives one such object

Source:
    https://ai.google.dev/api/generate-content,
    https://ai.google.dev/gemini-api/docs/troubleshooting (statuses).
"""

import json
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from types import MappingProxyType
from typing import Any, ClassVar
from urllib.parse import quote, urlsplit

from inference.exceptions import ProviderError
from inference.generation import FinishReason, GenerationRequest
from inference.messages import ImagePart, Message, Role
from inference.providers.dialect import (
    Check,
    Dialect,
    Piece,
    is_flag,
    joined,
    json_request,
    key_header,
)
from inference.providers.parameters import wire_params
from inference.providers.reading import count_at, dig, list_at, object_at, text_at, usage_of
from inference.providers.server import Server
from inference.providers.turns import base64_of, in_turns, parts_of
from inference.providers.wire.client import WireRequest
from inference.providers.wire.faults import fault, fault_of_response
from inference.providers.wire.response import WireResponse, parse_object

VERSION = "v1beta"
TAKES: Mapping[str, str] = MappingProxyType(
    {
        "temperature": "temperature",
        "top_p": "topP",
        "top_k": "topK",
        "max_tokens": "maxOutputTokens",
        "stop": "stopSequences",
        "seed": "seed",
        "presence_penalty": "presencePenalty",
        "frequency_penalty": "frequencyPenalty",
    }
)
HARMS = ("HARASSMENT", "HATE_SPEECH", "SEXUALLY_EXPLICIT", "DANGEROUS_CONTENT")
THRESHOLDS = frozenset(
    {"OFF", "BLOCK_NONE", "BLOCK_ONLY_HIGH", "BLOCK_MEDIUM_AND_ABOVE", "BLOCK_LOW_AND_ABOVE"}
)
WITHHELD = frozenset(
    {"SAFETY", "RECITATION", "LANGUAGE", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "IMAGE_SAFETY"}
)
# Google's names of errors that come inside a stream, where no HTTP status tells them.
STATUSES = {
    "INVALID_ARGUMENT": 400,
    "FAILED_PRECONDITION": 400,
    "UNAUTHENTICATED": 401,
    "PERMISSION_DENIED": 403,
    "NOT_FOUND": 404,
    "RESOURCE_EXHAUSTED": 429,
}


def is_threshold(value: Any) -> bool:
    """Tell whether an option is a threshold of the filters."""
    return isinstance(value, str) and value in THRESHOLDS


class Gemini(Dialect):
    """Gemini as Google AI Studio serves it; with the option `stream: false` in one piece.

    The filters are off unless the option `safety` sets their threshold: a site that compares models
    moderates by itself, alike for all of them.
    """

    default_url: ClassVar[str] = f"https://generativelanguage.googleapis.com/{VERSION}"
    takes: ClassVar[Mapping[str, str]] = TAKES
    takes_images: ClassVar[bool] = True
    options: ClassVar[Mapping[str, Check]] = MappingProxyType(
        {"safety": is_threshold, "stream": is_flag}
    )

    async def prepare(self, server: Server, request: GenerationRequest) -> WireRequest:
        """Return the request; see `Dialect.prepare`."""
        return json_request(
            self.address(server),
            content_body(server, request),
            await self.headers(server),
            server=server,
        )

    def address(self, server: Server) -> str:
        """Return where the model is asked."""
        name = quote(server.name_there.removeprefix("models/"), safe="")
        has_version = urlsplit(server.url).path.strip("/")
        base = server.url if has_version else joined(server.url, VERSION)
        return joined(base, f"models/{name}:{method_of(server)}")

    async def headers(self, server: Server) -> dict[str, str]:
        """Return the headers that say who asks."""
        return key_header(server, "x-goog-api-key")

    async def read(self, response: WireResponse) -> AsyncGenerator[Piece, None]:
        """Yield the pieces; see `Dialect.read`."""
        response.expect("text/event-stream", "application/json")
        if response.media_type == "application/json":
            yield piece_of(await response.json())
            return
        async with aclosing(response.events()) as events:
            async for event in events:
                yield piece_of(parse_object(event.data))

    def fault(self, status: int, headers: Mapping[str, str], body: bytes) -> ProviderError:
        """Return what an error status means: a wrong key is a 400 here, waits are in the body."""
        error = fault_of_response(status, headers, body)
        if error.code == "invalid_request" and "API key" in error.detail:
            return fault("provider_key_rejected", error.detail)
        if error.retry_after_s is None:
            error.retry_after_s = retry_delay(body)
        return error


def method_of(server: Server) -> str:
    """Return what a model is asked to do."""
    is_streamed = server.options.get("stream", True)
    return "streamGenerateContent?alt=sse" if is_streamed else "generateContent"


def content_body(server: Server, request: GenerationRequest) -> dict[str, Any]:
    """Return what a request says beside the model.

    Raises:
        InvalidRequestError: a parameter or a message is not taken there.
    """
    conversation = in_turns(request.messages)
    settings = wire_params(request.params, server, takes=TAKES)
    if "top_p" not in server.dropped_params:
        settings["topP"] = request.params.top_p  # the models' own defaults are below 1
    threshold = server.options.get("safety", "BLOCK_NONE")
    body: dict[str, Any] = {
        "contents": [turn(message) for message in conversation.turns],
        "generationConfig": {**object_at(dict(server.extra_body), "generationConfig"), **settings},
        "safetySettings": [
            {"category": f"HARM_CATEGORY_{harm}", "threshold": threshold} for harm in HARMS
        ],
    }
    if conversation.system:
        body["systemInstruction"] = {"parts": [{"text": conversation.system}]}
    return body


def turn(message: Message) -> dict[str, Any]:
    """Return one message with its parts of text and images."""
    parts: list[dict[str, Any]] = []
    for part in parts_of(message):
        if isinstance(part, ImagePart):
            parts.append({"inlineData": {"mimeType": part.media_type, "data": base64_of(part)}})
        else:
            parts.append({"text": part.text})
    return {"role": "model" if message.role is Role.ASSISTANT else "user", "parts": parts}


def piece_of(data: dict[str, Any]) -> Piece:
    """Return what one response adds; what the model thought is not part of the answer.

    Raises:
        ProviderError: it is an error, or a filter stepped in.
    """
    if "error" in data:
        status = STATUSES.get(text_at(data, "error", "status"), 500)
        raise fault_of_response(status, {}, json.dumps(data).encode())
    if reason := text_at(data, "promptFeedback", "blockReason"):
        raise fault("content_filtered", f"the prompt was blocked: {reason}")
    candidate = dig(data, "candidates", 0)
    spoken = [part for part in list_at(candidate, "content", "parts") if not dig(part, "thought")]
    return Piece(
        "".join(text_at(part, "text") for part in spoken),
        finish_reason=finish_reason(text_at(candidate, "finishReason")),
        usage=usage_of(
            prompt=count_at(data, "usageMetadata", "promptTokenCount"),
            completion=count_at(data, "usageMetadata", "candidatesTokenCount")
            + count_at(data, "usageMetadata", "thoughtsTokenCount"),
            cached=count_at(data, "usageMetadata", "cachedContentTokenCount"),
        ),
    )


def finish_reason(reason: str) -> FinishReason | None:
    """Return why an answer ended; None while it goes on.

    Raises:
        ProviderError: a filter ended it.
    """
    if reason in WITHHELD:
        raise fault("content_filtered", f"finishReason {reason}")
    if reason == "MAX_TOKENS":
        return FinishReason.LENGTH
    return FinishReason.STOP if reason else None


def retry_delay(body: bytes) -> float | None:
    """Return the seconds a `RetryInfo` in an error's body asks for; None without one."""
    try:
        details = list_at(json.loads(body), "error", "details")
    except (ValueError, RecursionError):
        return None
    for detail in details:
        delay = text_at(detail, "retryDelay").removesuffix("s")
        if delay.replace(".", "", 1).isdecimal() and delay.isascii():
            return float(delay)
    return None
