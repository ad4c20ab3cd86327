"""Cohere's chat API, version 2.

    → POST {url}/v2/chat   Authorization: Bearer
      {"model", "messages": [{"role", "content"}], "p", "k", "stop_sequences", …, "stream": true}
    ← data: {"type": "content-delta", "delta": {"message": {"content": {"text": …}}}}
      data: {"type": "message-end", "delta": {"finish_reason": …, "usage": {"tokens": {…}}}}

Source:
    https://docs.cohere.com/v2/reference/chat-stream, https://docs.cohere.com/v2/reference/errors.
"""

import re
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from types import MappingProxyType
from typing import Any, ClassVar

from inference.exceptions import ProviderError
from inference.generation import FinishReason, GenerationRequest
from inference.messages import ImagePart, Message, Role
from inference.providers.dialect import (
    Check,
    Dialect,
    Piece,
    is_text,
    joined,
    json_request,
    key_header,
)
from inference.providers.parameters import check_at_most, wire_params
from inference.providers.reading import count_at, text_at, usage_of
from inference.providers.server import Server
from inference.providers.turns import data_url, in_turns, parts_of
from inference.providers.wire.client import WireRequest
from inference.providers.wire.faults import fault, fault_of_response, fault_of_words
from inference.providers.wire.response import WireResponse, parse_object

WIDEST_NUCLEUS = 0.99  # p must stay below 1, and the models' own default is 0.75
HEAVIEST_PENALTY = 1.0
TOKEN_REJECTED = 498
VERSION = re.compile(r"/v[12]/?\Z")  # files of FastChat's may name the address of version 1
FINISH_REASONS = {
    "COMPLETE": FinishReason.STOP,
    "STOP_SEQUENCE": FinishReason.STOP,
    "TOOL_CALL": FinishReason.STOP,
    "MAX_TOKENS": FinishReason.LENGTH,
}


class Cohere(Dialect):
    """Cohere's Command models."""

    default_url: ClassVar[str] = "https://api.cohere.com"
    takes: ClassVar[Mapping[str, str]] = MappingProxyType(
        {
            "temperature": "temperature",
            "top_p": "p",
            "top_k": "k",
            "max_tokens": "max_tokens",
            "stop": "stop_sequences",
            "seed": "seed",
            "presence_penalty": "presence_penalty",
            "frequency_penalty": "frequency_penalty",
        }
    )
    takes_images: ClassVar[bool] = True
    options: ClassVar[Mapping[str, Check]] = MappingProxyType({"client_name": is_text})

    async def prepare(self, server: Server, request: GenerationRequest) -> WireRequest:
        """Return the request; see `Dialect.prepare`."""
        for name in ("presence_penalty", "frequency_penalty"):
            check_at_most(HEAVIEST_PENALTY, request.params, name, server=server)
        headers = key_header(server, "Authorization", "Bearer {}")
        if client_name := server.options.get("client_name"):
            headers["X-Client-Name"] = client_name
        conversation = in_turns(request.messages)
        opening = [{"role": "system", "content": conversation.system}]
        body = {
            "model": server.name_there,
            "messages": [
                *(opening if conversation.system else []),
                *(turn(message) for message in conversation.turns),
            ],
            "stream": True,
            **wire_params(request.params, server, takes=self.takes),
        }
        if "top_p" not in server.dropped_params:
            body["p"] = min(request.params.top_p, WIDEST_NUCLEUS)
        base = VERSION.sub("", server.url)
        return json_request(joined(base, "v2/chat"), body, headers, server=server)

    async def read(self, response: WireResponse) -> AsyncGenerator[Piece, None]:
        """Yield the pieces; see `Dialect.read`."""
        response.expect("text/event-stream")
        async with aclosing(response.events()) as events:
            async for event in events:
                if event.data.strip() == "[DONE]":
                    return
                data = parse_object(event.data)
                match text_at(data, "type") or event.name:
                    case "content-start" | "content-delta":
                        yield Piece(text_at(data, "delta", "message", "content", "text"))
                    case "message-end":
                        yield ending(data)

    def fault(self, status: int, headers: Mapping[str, str], body: bytes) -> ProviderError:
        """Return what an error status means; 498 is Cohere's own for a blocked token."""
        return fault_of_response(401 if status == TOKEN_REJECTED else status, headers, body)


def turn(message: Message) -> dict[str, Any]:
    """Return one message: its text, or its parts where there are images among them."""
    if not message.parts or message.role is not Role.USER:
        return {"role": message.role.value, "content": message.content}
    content: list[dict[str, Any]] = []
    for part in parts_of(message):
        if isinstance(part, ImagePart):
            content.append({"type": "image_url", "image_url": {"url": data_url(part)}})
        else:
            content.append({"type": "text", "text": part.text})
    return {"role": message.role.value, "content": content}


def ending(data: dict[str, Any]) -> Piece:
    """Return the last piece of an answer.

    Raises:
        ProviderError: the answer ended in an error.
    """
    reason = text_at(data, "delta", "finish_reason")
    if reason not in FINISH_REASONS:
        words = text_at(data, "delta", "error") or f"finish_reason {reason}"
        default = "provider_timeout" if reason == "TIMEOUT" else "provider_cut_off"
        raise fault(fault_of_words(words, default=default), words)
    return Piece(
        finish_reason=FINISH_REASONS[reason],
        usage=usage_of(
            prompt=count_at(data, "delta", "usage", "tokens", "input_tokens"),
            completion=count_at(data, "delta", "usage", "tokens", "output_tokens"),
            cached=count_at(data, "delta", "usage", "cached_tokens"),
        ),
    )
