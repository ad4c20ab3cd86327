"""Reka's chat API.

    → POST {url}/v1/chat   X-Api-Key
      {"model", "messages": [{"role": "user" | "assistant", "content"}], "stream": true, …}
    ← data: {"responses": [{"chunk": {"content": all of the answer so far},
             "finish_reason": "" | "stop" | "length" | "context"}],
             "usage": {"input_tokens", "output_tokens"}}

Source:
    https://docs.reka.ai/chat/api-reference/create. Chunks tell the answer from its start again.
"""

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from types import MappingProxyType
from typing import Any, ClassVar

from inference.generation import FinishReason, GenerationRequest
from inference.messages import ImagePart, Message
from inference.providers.dialect import Dialect, Piece, joined, json_request, key_header
from inference.providers.parameters import wire_params
from inference.providers.reading import Cumulative, count_at, text_at, usage_of
from inference.providers.server import Server
from inference.providers.turns import data_url, in_turns, parts_of
from inference.providers.wire.client import WireRequest
from inference.providers.wire.faults import fault, fault_of_words, sentence_in
from inference.providers.wire.response import WireResponse, parse_object

SEARCHING = "-online"
FINISH_REASONS = {"length": FinishReason.LENGTH, "context": FinishReason.LENGTH}


class Reka(Dialect):
    """Reka's models; a name that ends with `-online` lets them search the web."""

    default_url: ClassVar[str] = "https://api.reka.ai"
    takes: ClassVar[Mapping[str, str]] = MappingProxyType(
        {
            "temperature": "temperature",
            "top_p": "top_p",
            "top_k": "top_k",
            "max_tokens": "max_tokens",
            "stop": "stop",
            "seed": "seed",
            "presence_penalty": "presence_penalty",
            "frequency_penalty": "frequency_penalty",
        }
    )
    takes_images: ClassVar[bool] = True
    repeats_itself: ClassVar[bool] = True

    async def prepare(self, server: Server, request: GenerationRequest) -> WireRequest:
        """Return the request; see `Dialect.prepare`.

        The API has no role for a system prompt: it opens the first message.
        """
        conversation = in_turns(request.messages)
        turns = list(conversation.turns)
        if conversation.system:
            turns[0] = turns[0].preceded_by(conversation.system)
        body = {
            "model": server.name_there.removesuffix(SEARCHING),
            "messages": [turn(message) for message in turns],
            "stream": True,
            **wire_params(request.params, server, takes=self.takes),
        }
        if server.name_there.endswith(SEARCHING):
            body["use_search_engine"] = True
        path = "chat" if server.url.rstrip("/").endswith("/v1") else "v1/chat"
        headers = key_header(server, "X-Api-Key")
        return json_request(joined(server.url, path), body, headers, server=server)

    async def read(self, response: WireResponse) -> AsyncGenerator[Piece, None]:
        """Yield the pieces; see `Dialect.read`."""
        response.expect("text/event-stream")
        answer = Cumulative()
        async with aclosing(response.events()) as events:
            async for event in events:
                data = parse_object(event.data)
                if "responses" not in data and ("detail" in data or "error" in data):
                    words = sentence_in(data)
                    raise fault(fault_of_words(words, default="provider_cut_off"), words)
                yield piece_of(data, answer)


def turn(message: Message) -> dict[str, Any]:
    """Return one message: its text, or its parts where there are images among them."""
    if not message.parts:
        return {"role": message.role.value, "content": message.content}
    content = [
        {"type": "image_url", "image_url": data_url(part)}
        if isinstance(part, ImagePart)
        else {"type": "text", "text": part.text}
        for part in parts_of(message)
    ]
    return {"role": message.role.value, "content": content}


def piece_of(data: dict[str, Any], answer: Cumulative) -> Piece:
    """Return what a chunk adds to the answer.

    Raises:
        ProviderError: it changes what was told already.
    """
    content = text_at(data, "responses", 0, "chunk", "content")
    reason = text_at(data, "responses", 0, "finish_reason")
    return Piece(
        answer.added(content) if content else "",
        finish_reason=FINISH_REASONS.get(reason, FinishReason.STOP) if reason else None,
        usage=usage_of(
            prompt=count_at(data, "usage", "input_tokens"),
            completion=count_at(data, "usage", "output_tokens"),
        ),
    )
