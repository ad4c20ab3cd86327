"""A plain stream of messages: each event holds the next piece of text under `message`.

The format is that of FastChat's api_type "column"; no public page documents it. The request is a
chat completion's; the stream has no finish reason, so that its regular end ends the answer.
"""

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import replace
from types import MappingProxyType
from typing import Any, ClassVar

from inference.generation import FinishReason, GenerationRequest
from inference.providers.dialect import Check, Dialect, Piece, json_request
from inference.providers.openai import DONE, bearer, completion_body
from inference.providers.server import Server
from inference.providers.wire.client import WireRequest
from inference.providers.wire.faults import fault, fault_of_event
from inference.providers.wire.response import WireResponse, parse_object

SEED = 42  # what such servers were always sent


class Column(Dialect):
    """Servers that were registered as "column"; the endpoint's address is the whole address."""

    needs_key: ClassVar[bool] = False
    takes: ClassVar[Mapping[str, str]] = MappingProxyType(
        {"temperature": "temperature", "top_p": "top_p", "max_tokens": "max_tokens", "seed": "seed"}
    )
    options: ClassVar[Mapping[str, Check]] = MappingProxyType({})

    async def prepare(self, server: Server, request: GenerationRequest) -> WireRequest:
        """Return the request; see `Dialect.prepare`."""
        stop = request.params.stop
        asked = replace(request, params=replace(request.params, stop=()))
        body = {"seed": SEED, **completion_body(server, asked, takes=self.takes), "stream": True}
        return replace(json_request(server.url, body, bearer(server), server=server), stop=stop)

    async def read(self, response: WireResponse) -> AsyncGenerator[Piece, None]:
        """Yield the messages; see `Dialect.read`."""
        response.expect("text/event-stream")
        async with aclosing(response.events()) as events:
            async for event in events:
                if event.data.strip() == DONE:
                    break
                yield Piece(text=message_of(parse_object(event.data)))
        yield Piece(finish_reason=FinishReason.STOP)


def message_of(data: Mapping[str, Any]) -> str:
    """Return the text an event adds.

    Raises:
        ProviderError: the event is an error or holds no message.
    """
    if data.get("error"):
        raise fault_of_event(data)
    message = data.get("message")
    if isinstance(message, dict):
        message = message.get("content")
    if not isinstance(message, str):
        raise fault("provider_protocol", "an event without a message")
    return message
