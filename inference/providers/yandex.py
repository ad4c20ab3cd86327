"""Yandex's text generation API (YandexGPT).

    → POST {url}/foundationModels/v1/completion   Authorization: Api-Key …, x-folder-id
      {"modelUri": "gpt://folder/model", "completionOptions": {"stream", "temperature",
       "maxTokens"}, "messages": [{"role", "text"}]}
    ← one JSON object a line: {"result": {"alternatives": [{"message": {"text": all of the answer
      so far}, "status": "ALTERNATIVE_STATUS_PARTIAL"}], "usage": {"inputTextTokens": "7", …}}}
      or {"error": {"grpcCode", "httpCode", "message"}}

Source:
    https://yandex.cloud/en/docs/ai-studio/text-generation/api-ref/TextGeneration/completion.
"""

import json
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import replace
from types import MappingProxyType
from typing import Any, ClassVar

from inference.generation import FinishReason, GenerationRequest
from inference.providers.dialect import (
    Check,
    Dialect,
    Piece,
    is_flag,
    is_text,
    joined,
    json_request,
    key_header,
)
from inference.providers.parameters import HARMLESS, check_at_most, wire_params
from inference.providers.reading import Cumulative, count_at, dig, object_at, text_at, usage_of
from inference.providers.server import Server
from inference.providers.turns import in_turns
from inference.providers.wire.client import WireRequest
from inference.providers.wire.faults import fault, fault_of_response
from inference.providers.wire.response import WireResponse

HOTTEST = 1.0
STATUS = "ALTERNATIVE_STATUS_"
FINISH_REASONS = {
    "FINAL": FinishReason.STOP,
    "TOOL_CALLS": FinishReason.STOP,
    "TRUNCATED_FINAL": FinishReason.LENGTH,
}


class Yandex(Dialect):
    """YandexGPT; the models are found in the folder of the option `folder_id`.

    The key is one of a service account, or with the option `iam_token` a token of Yandex's IAM.
    `data_logging: false` asks Yandex not to keep what is said. The API knows no stop strings:
    answers are cut at them here.
    """

    default_url: ClassVar[str] = "https://llm.api.cloud.yandex.net"
    repeats_itself: ClassVar[bool] = True
    takes: ClassVar[Mapping[str, str]] = MappingProxyType(
        {"temperature": "temperature", "max_tokens": "maxTokens"}
    )
    options: ClassVar[Mapping[str, Check]] = MappingProxyType(
        {"folder_id": is_text, "iam_token": is_flag, "data_logging": is_flag}
    )
    required_options: ClassVar[frozenset[str]] = frozenset({"folder_id"})

    async def prepare(self, server: Server, request: GenerationRequest) -> WireRequest:
        """Return the request; see `Dialect.prepare`."""
        check_at_most(HOTTEST, request.params, "temperature", server=server)
        conversation = in_turns(request.messages)
        opening = [{"role": "system", "text": conversation.system}]
        ignores = HARMLESS | {"stop"}
        settings = wire_params(request.params, server, takes=self.takes, ignores=ignores)
        if "maxTokens" in settings:
            settings["maxTokens"] = str(settings["maxTokens"])  # int64 in protobuf's JSON
        body = {
            "modelUri": model_uri(server),
            "completionOptions": {
                **object_at(dict(server.extra_body), "completionOptions"),
                **settings,
                "stream": True,
            },
            "messages": [
                *(opening if conversation.system else []),
                *(
                    {"role": entry.role.value, "text": entry.content}
                    for entry in conversation.turns
                ),
            ],
        }
        scheme = "Bearer" if server.options.get("iam_token") else "Api-Key"
        headers = {
            **key_header(server, "Authorization", f"{scheme} {{}}"),
            "x-folder-id": server.options["folder_id"],
        }
        if "data_logging" in server.options:
            headers["x-data-logging-enabled"] = str(server.options["data_logging"]).lower()
        address = server.url.rstrip("/")
        if not address.endswith("/completion"):
            address = joined(address, "foundationModels/v1/completion")
        ready = json_request(address, body, headers, server=server)
        return replace(ready, stop=request.params.stop)

    async def read(self, response: WireResponse) -> AsyncGenerator[Piece, None]:
        """Yield the pieces; see `Dialect.read`."""
        response.expect("application/json", "application/x-ndjson", "text/event-stream")
        answer = Cumulative()
        async with aclosing(response.json_lines()) as lines:
            async for data in lines:
                if "error" in data:
                    status = count_at(data, "error", "httpCode")
                    status = status if 400 <= status < 600 else 500
                    raise fault_of_response(status, {}, json.dumps(data).encode())
                yield piece_of(dig(data, "result"), answer)


def model_uri(server: Server) -> str:
    """Return the address of a model: one it has already, or one in the endpoint's folder."""
    name = server.name_there
    return name if "://" in name else f"gpt://{server.options['folder_id']}/{name}"


def piece_of(result: Any, answer: Cumulative) -> Piece:
    """Return what a result adds to the answer.

    Raises:
        ProviderError: a filter stepped in, or it changes what was told already.
    """
    status = text_at(result, "alternatives", 0, "status").removeprefix(STATUS)
    if status == "CONTENT_FILTER":
        raise fault("content_filtered", status)
    return Piece(
        answer.added(text_at(result, "alternatives", 0, "message", "text")),
        finish_reason=FINISH_REASONS.get(status),
        usage=usage_of(
            prompt=count_at(result, "usage", "inputTextTokens"),
            completion=count_at(result, "usage", "completionTokens"),
        ),
    )
