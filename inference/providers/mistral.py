"""Mistral's chat completions: OpenAI's shape with names and rules of its own.

    → POST {url}/chat/completions   Authorization: Bearer
      as OpenAI's, but `random_seed`; unknown fields are refused, and turns must alternate
    ← as OpenAI's; the last chunk tells the counts unasked, and an answer may end with
      `model_length` or `error`

Source:
    https://docs.mistral.ai/api/endpoint/chat.
"""

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import replace
from types import MappingProxyType
from typing import Any, ClassVar

from inference.generation import FinishReason, GenerationRequest
from inference.messages import Message, Role
from inference.providers.chat_completions import pieces_of
from inference.providers.dialect import Check, Piece, is_flag, json_request
from inference.providers.openai import DONE, TAKEN_BY_ALL, OpenAIDialect
from inference.providers.parameters import check_at_most
from inference.providers.reading import text_at
from inference.providers.server import Server
from inference.providers.turns import in_turns
from inference.providers.wire.client import WireRequest
from inference.providers.wire.faults import fault
from inference.providers.wire.response import WireResponse, parse_object

HOTTEST = 1.5


class Mistral(OpenAIDialect):
    """Mistral's own platform; the option `safe_prompt` puts its safety prompt first."""

    default_url: ClassVar[str] = "https://api.mistral.ai/v1"
    takes_tools: ClassVar[bool] = False  # its ids and choices of calls are its own
    takes: ClassVar[Mapping[str, str]] = MappingProxyType({**TAKEN_BY_ALL, "seed": "random_seed"})
    options: ClassVar[Mapping[str, Check]] = MappingProxyType({"safe_prompt": is_flag})

    async def prepare(self, server: Server, request: GenerationRequest) -> WireRequest:
        """Return the request; see `Dialect.prepare`."""
        body = {**self.body(server, request), "stream": True}
        return json_request(self.address(server), body, self.headers(server), server=server)

    def body(self, server: Server, request: GenerationRequest) -> dict[str, Any]:
        """Return the request without what concerns streaming, its turns alternating."""
        check_at_most(HOTTEST, request.params, "temperature", server=server)
        conversation = in_turns(request.messages)
        opening = (Message(Role.SYSTEM, conversation.system),) if conversation.system else ()
        body = super().body(server, replace(request, messages=opening + conversation.turns))
        if server.options.get("safe_prompt"):
            body["safe_prompt"] = True
        return body

    async def read(self, response: WireResponse) -> AsyncGenerator[Piece, None]:
        """Yield the pieces; see `Dialect.read`."""
        response.expect("text/event-stream")
        async with aclosing(response.events()) as events:
            async for event in events:
                if event.data.strip() == DONE:
                    return
                chunk = parse_object(event.data)
                reason = text_at(chunk, "choices", 0, "finish_reason")
                if reason == "error":
                    raise fault("provider_cut_off", "finish_reason error")
                for piece in pieces_of(chunk):
                    is_full = reason == "model_length" and piece.finish_reason is not None
                    yield replace(piece, finish_reason=FinishReason.LENGTH) if is_full else piece
