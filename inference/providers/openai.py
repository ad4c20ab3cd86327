"""OpenAI's chat completions, and the many servers that speak them.

Source:
    https://platform.openai.com/docs/api-reference/chat, and the types of openai-python 3.54.
"""

import re
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import replace
from types import MappingProxyType
from typing import Any, ClassVar

from inference.generation import GenerationRequest
from inference.providers.call_writer import CallWriter
from inference.providers.chat_completions import (
    is_forced,
    pieces_of,
    wire_message,
    wire_tools,
)
from inference.providers.dialect import (
    Check,
    Dialect,
    Piece,
    is_flag,
    is_text,
    joined,
    json_request,
)
from inference.providers.parameters import HARMLESS, wire_params
from inference.providers.server import Server
from inference.providers.wire.client import WireRequest
from inference.providers.wire.response import WireResponse, parse_object

DONE = "[DONE]"
# Models that think before they answer choose their sampling and their end themselves.
REASONING_NAMES = re.compile(r"(^|/)(o\d+|gpt-5)(?!.*chat)([.-]|$)")
REASONING_IGNORES = HARMLESS | {
    "temperature",
    "top_p",
    "presence_penalty",
    "frequency_penalty",
    "stop",
}

TAKEN_BY_ALL = {
    "temperature": "temperature",
    "top_p": "top_p",
    "max_tokens": "max_tokens",
    "stop": "stop",
    "presence_penalty": "presence_penalty",
    "frequency_penalty": "frequency_penalty",
    "seed": "seed",
}


class OpenAIDialect(Dialect):
    """What all servers of the family share; each says in a class of its own what it adds.

    The option `stream: false` asks for the answer in one piece, for servers that cannot stream a
    model; `include_usage: false` asks for no counts, for servers that refuse the question.
    """

    takes: ClassVar[Mapping[str, str]] = MappingProxyType(TAKEN_BY_ALL)
    takes_images: ClassVar[bool] = True
    takes_tools: ClassVar[bool] = True
    options: ClassVar[Mapping[str, Check]] = MappingProxyType(
        {"stream": is_flag, "include_usage": is_flag}
    )

    async def prepare(self, server: Server, request: GenerationRequest) -> WireRequest:
        """Return the request for a chat completion; see `Dialect.prepare`."""
        is_streamed = server.options.get("stream", True)
        body = {**self.body(server, request), "stream": is_streamed}
        if is_streamed and server.options.get("include_usage", True):
            body["stream_options"] = {"include_usage": True}
        ready = json_request(self.address(server), body, self.headers(server), server=server)
        return replace(ready, stop=() if "stop" in body else request.params.stop)

    async def read(self, response: WireResponse) -> AsyncGenerator[Piece, None]:
        """Yield the pieces of a chat completion, streamed or whole; see `Dialect.read`."""
        response.expect("text/event-stream", "application/json")
        if response.media_type == "application/json":
            for piece in pieces_of(await response.json(), CallWriter()):
                yield piece
            return
        calls = CallWriter()
        async with aclosing(response.events()) as events:
            async for event in events:
                if event.data.strip() == DONE:
                    return
                for piece in pieces_of(parse_object(event.data), calls):
                    yield piece

    def address(self, server: Server) -> str:
        """Return where chat completions are."""
        return joined(server.url, "chat/completions")

    def headers(self, server: Server) -> dict[str, str]:
        """Return the headers that say who asks."""
        return bearer(server)

    def body(self, server: Server, request: GenerationRequest) -> dict[str, Any]:
        """Return the request without what concerns streaming."""
        return completion_body(server, request, takes=self.takes)


class OpenAI(OpenAIDialect):
    """OpenAI itself: newer names of parameters, none of sampling for models that reason."""

    default_url: ClassVar[str] = "https://api.openai.com/v1"
    takes: ClassVar[Mapping[str, str]] = MappingProxyType(
        {**TAKEN_BY_ALL, "max_tokens": "max_completion_tokens", "logit_bias": "logit_bias"}
    )
    options: ClassVar[Mapping[str, Check]] = MappingProxyType(
        {**OpenAIDialect.options, "organization": is_text, "project": is_text}
    )

    def headers(self, server: Server) -> dict[str, str]:
        """Return the key, and whose account is charged."""
        accounts = {
            f"OpenAI-{name.title()}": str(server.options[name])
            for name in ("organization", "project")
            if name in server.options
        }
        return {**bearer(server), **accounts}

    def body(self, server: Server, request: GenerationRequest) -> dict[str, Any]:
        """Return the request in the words of the model's generation."""
        return self.body_for(server.name_there, server, request)

    def body_for(self, model: str, server: Server, request: GenerationRequest) -> dict[str, Any]:
        """Return the request as a model of this name takes it."""
        if REASONING_NAMES.search(model):
            return completion_body(server, request, takes=self.takes, ignores=REASONING_IGNORES)
        return completion_body(server, request, takes=self.takes)


def completion_body(
    server: Server,
    request: GenerationRequest,
    *,
    takes: Mapping[str, str],
    ignores: frozenset[str] = HARMLESS,
) -> dict[str, Any]:
    """Return model, messages and parameters of a chat completion; see `wire_params`."""
    taken = {ours: theirs for ours, theirs in takes.items() if ours not in ignores}
    wanted = replace(request.params, grammar=None) if is_forced(request) else request.params
    params = wire_params(wanted, server, takes=taken, ignores=ignores)
    if "logit_bias" in params:
        params["logit_bias"] = {str(token): bias for token, bias in params["logit_bias"]}
    if request.template_options:
        params["chat_template_kwargs"] = dict(request.template_options)
    return {
        "model": server.name_there,
        "messages": [wire_message(message) for message in request.messages],
        **wire_tools(request),
        **params,
    }


def bearer(server: Server) -> dict[str, str]:
    """Return the key as most servers want it; nothing where none is needed."""
    key = server.key()
    return {"Authorization": f"Bearer {key}"} if key else {}
