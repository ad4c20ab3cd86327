"""Anthropic's Messages API.

    → POST {url}/v1/messages   x-api-key, anthropic-version
      {"model", "max_tokens", "system", "messages": [{"role", "content": [block…]}], "stream": true}
    ← event: message_start        data: {"message": {"usage": {"input_tokens": …}}}
      event: content_block_delta  data: {"delta": {"type": "text_delta", "text": …}}
      event: message_delta        data: {"delta": {"stop_reason": …}, "usage": {"output_tokens": …}}
      event: message_stop, ping, error, and whatever may come later

Source:
    https://platform.claude.com/docs/en/api/messages,
    https://platform.claude.com/docs/en/build-with-claude/streaming,
    https://platform.claude.com/docs/en/api/errors.
"""

import re
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from types import MappingProxyType
from typing import Any, ClassVar

from inference.exceptions import ProviderError
from inference.generation import FinishReason, GenerationRequest
from inference.messages import ImagePart, Message
from inference.providers.dialect import (
    Check,
    Dialect,
    Piece,
    is_text,
    joined,
    json_request,
    key_header,
)
from inference.providers.parameters import HARMLESS, check_at_most, wire_params
from inference.providers.reading import count_at, text_at, usage_of
from inference.providers.server import Server
from inference.providers.turns import base64_of, in_turns, parts_of
from inference.providers.wire.client import WireRequest
from inference.providers.wire.faults import fault, fault_of_words
from inference.providers.wire.response import WireResponse, parse_object

VERSION = "2023-06-01"
HOTTEST = 1.0
# The API wants a limit with every request; this one is the largest that every model allows.
MAX_TOKENS = 4096
SAMPLING = frozenset({"temperature", "top_p", "top_k"})
# From Opus 4.7 on the models answer 400 to these parameters.
# https://platform.claude.com/docs/en/about-claude/models/migration-guide
UNSAMPLED = re.compile(r"claude-(?:opus-4-[7-9]|(?:opus|sonnet|haiku)-[5-9]|fable)")

FINISH_REASONS = {
    "max_tokens": FinishReason.LENGTH,
    "model_context_window_exceeded": FinishReason.LENGTH,
}
ERROR_CODES = {
    "api_error": "provider_unavailable",
    "authentication_error": "provider_key_rejected",
    "billing_error": "provider_quota_exceeded",
    "not_found_error": "provider_model_not_found",
    "overloaded_error": "provider_unavailable",
    "permission_error": "provider_key_rejected",
    "rate_limit_error": "provider_rate_limited",
    "request_too_large": "context_length_exceeded",
    "timeout_error": "provider_timeout",
}


class Anthropic(Dialect):
    """Claude, asked directly; models from Opus 4.7 on choose their sampling themselves."""

    default_url: ClassVar[str] = "https://api.anthropic.com"
    takes: ClassVar[Mapping[str, str]] = MappingProxyType(
        {
            "temperature": "temperature",
            "top_p": "top_p",
            "top_k": "top_k",
            "max_tokens": "max_tokens",
            "stop": "stop_sequences",
        }
    )
    takes_images: ClassVar[bool] = True
    options: ClassVar[Mapping[str, Check]] = MappingProxyType({"version": is_text, "beta": is_text})

    async def prepare(self, server: Server, request: GenerationRequest) -> WireRequest:
        """Return the request; see `Dialect.prepare`."""
        headers = {
            **key_header(server, "x-api-key"),
            "anthropic-version": str(server.options.get("version", VERSION)),
        }
        if beta := server.options.get("beta"):
            headers["anthropic-beta"] = beta
        path = "messages" if server.url.rstrip("/").endswith("/v1") else "v1/messages"
        body = {"model": server.name_there, **message_body(server, request, takes=self.takes)}
        return json_request(joined(server.url, path), body, headers, server=server)

    async def read(self, response: WireResponse) -> AsyncGenerator[Piece, None]:
        """Yield the pieces; see `Dialect.read`."""
        response.expect("text/event-stream")
        prompt = cached = 0
        async with aclosing(response.events()) as events:
            async for event in events:
                data = parse_object(event.data)
                match text_at(data, "type") or event.name:
                    case "message_start":
                        cached = count_at(data, "message", "usage", "cache_read_input_tokens")
                        prompt = cached + sum(
                            count_at(data, "message", "usage", name)
                            for name in ("input_tokens", "cache_creation_input_tokens")
                        )
                    case "content_block_start":
                        yield Piece(text_at(data, "content_block", "text"))
                    case "content_block_delta":
                        yield Piece(text_at(data, "delta", "text"))
                    case "message_delta":
                        completion = count_at(data, "usage", "output_tokens")
                        yield Piece(
                            finish_reason=finish_reason(data),
                            usage=usage_of(prompt=prompt, completion=completion, cached=cached),
                        )
                    case "error":
                        raise stream_fault(data)


def message_body(
    server: Server, request: GenerationRequest, *, takes: Mapping[str, str]
) -> dict[str, Any]:
    """Return what a request says beside the model.

    Raises:
        InvalidRequestError: a parameter or a message is not taken there.
    """
    ignores = HARMLESS | (SAMPLING if UNSAMPLED.search(server.name_there) else frozenset())
    if "temperature" not in ignores:
        check_at_most(HOTTEST, request.params, "temperature", server=server)
    conversation = in_turns(request.messages)
    body: dict[str, Any] = {
        "max_tokens": MAX_TOKENS,
        **wire_params(request.params, server, takes=takes, ignores=ignores),
        "messages": [turn(message) for message in conversation.turns],
        "stream": True,
    }
    if conversation.system:
        body["system"] = conversation.system
    return body


def turn(message: Message) -> dict[str, Any]:
    """Return one message with its blocks of text and images."""
    blocks: list[dict[str, Any]] = []
    for part in parts_of(message):
        if isinstance(part, ImagePart):
            source = {"type": "base64", "media_type": part.media_type, "data": base64_of(part)}
            blocks.append({"type": "image", "source": source})
        else:
            blocks.append({"type": "text", "text": part.text})
    return {"role": message.role.value, "content": blocks}


def finish_reason(data: dict[str, Any]) -> FinishReason | None:
    """Return why an answer ended; None where a `message_delta` tells no reason.

    Raises:
        ProviderError: the model refused to answer, or to go on.
    """
    reason = text_at(data, "delta", "stop_reason")
    if reason == "refusal":
        raise fault("content_filtered", "stop_reason refusal")
    return FINISH_REASONS.get(reason, FinishReason.STOP) if reason else None


def stream_fault(data: dict[str, Any]) -> ProviderError:
    """Return what an `error` event means."""
    kind, words = text_at(data, "error", "type"), text_at(data, "error", "message")
    if kind == "invalid_request_error":
        code = fault_of_words(words, default="invalid_request")
    else:
        code = ERROR_CODES.get(kind, "provider_unavailable")
    return fault(code, f"{kind}: {words}", told=words if code == "invalid_request" else "")
