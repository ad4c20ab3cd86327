"""Text Generation Inference by its native route: a prompt in, a token an event out.

Its Messages API, which renders conversations there, is the dialect `tgi_messages`.

Source:
    https://huggingface.github.io/text-generation-inference, route /generate_stream.
"""

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import replace
from types import MappingProxyType
from typing import Any, ClassVar

from inference.chat_templates.families import DEFAULT_FAMILY, ChatTemplate, family_for, family_named
from inference.chat_templates.rendering import render_family
from inference.generation import FinishReason, GenerationRequest
from inference.providers.dialect import Check, Dialect, Piece, is_text, joined, json_request
from inference.providers.openai import bearer
from inference.providers.parameters import wire_params
from inference.providers.reading import count_at, usage_of
from inference.providers.server import Server
from inference.providers.wire.client import WireRequest
from inference.providers.wire.faults import fault, fault_of_event
from inference.providers.wire.response import WireResponse, parse_object

FINISH_REASONS = {
    "length": FinishReason.LENGTH,
    "eos_token": FinishReason.STOP,
    "stop_sequence": FinishReason.STOP,
}


class TGI(Dialect):
    """The native route.

    Option: `template`, the family whose layout the prompt is written in; by the model's name where
    it is left out.
    """

    needs_key: ClassVar[bool] = False
    takes: ClassVar[Mapping[str, str]] = MappingProxyType(
        {
            "temperature": "temperature",
            "top_p": "top_p",
            "top_k": "top_k",
            "max_tokens": "max_new_tokens",
            "stop": "stop",
            "repetition_penalty": "repetition_penalty",
            "frequency_penalty": "frequency_penalty",
            "seed": "seed",
        }
    )
    options: ClassVar[Mapping[str, Check]] = MappingProxyType(
        {"template": lambda value: is_text(value) and bool(family_named(value))}
    )

    async def prepare(self, server: Server, request: GenerationRequest) -> WireRequest:
        """Return the request for a stream of tokens; see `Dialect.prepare`."""
        template = template_of(server)
        stop = tuple(dict.fromkeys([*request.params.stop, *template.stop]))
        params = wire_params(request.params, server, takes=self.takes) | {"stop": list(stop)}
        if request.params.is_greedy:
            del params["temperature"]  # 0 is refused there; greedy is what happens without it
        else:
            params["do_sample"] = True
        body = {
            "inputs": render_family(template, request.messages),
            "parameters": {**params, "return_full_text": False, "details": True},
        }
        address = joined(server.url, "generate_stream")
        ready = json_request(address, body, bearer(server), server=server)
        return replace(ready, stop=stop)

    async def read(self, response: WireResponse) -> AsyncGenerator[Piece, None]:
        """Yield the tokens, a stop string among them; see `Dialect.read`."""
        response.expect("text/event-stream")
        async with aclosing(response.events()) as events:
            async for event in events:
                yield piece_of(parse_object(event.data))


def piece_of(data: Mapping[str, Any]) -> Piece:
    """Return what an event adds; the last one says why the answer ended.

    Raises:
        ProviderError: the event is an error or holds no token.
    """
    if data.get("error"):
        raise fault_of_event(data)
    try:
        token, details = data["token"], data.get("details") or {}
        text = "" if token.get("special") else str(token["text"])
        reason = details.get("finish_reason")
        return Piece(
            text=text,
            finish_reason=FINISH_REASONS.get(reason, FinishReason.STOP) if reason else None,
            usage=usage_of(prompt=0, completion=count_at(details, "generated_tokens")),
        )
    except (AttributeError, TypeError, KeyError, ValueError):
        raise fault("provider_protocol", f"unknown shape: {str(data)[:200]}") from None


def template_of(server: Server) -> ChatTemplate:
    """Return the family whose layout a server's prompts are written in."""
    if name := server.options.get("template"):
        return family_named(str(name))
    return family_for(server.name_there) or family_named(DEFAULT_FAMILY)
