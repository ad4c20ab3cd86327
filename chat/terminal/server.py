"""A model behind a server that speaks OpenAI's protocol, such as this site."""

import json
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx2

from chat.terminal.server_line import (
    check_size,
    client_options,
    complaint,
    line_failures,
    refusal,
)
from inference.exceptions import GenerationFailedError, InvalidRequestError
from inference.generation import Delta, FinishReason, SamplingParams, Usage
from inference.messages import Message

LARGEST_EVENT_BYTES = 1024 * 1024
FINISH_REASONS = {"length": FinishReason.LENGTH}
"""What a server may say beside `stop`."""
SHOWN_MODELS = 20


@dataclass(frozen=True, slots=True)
class ServerModel:
    """A model that a server answers for.

    Attributes:
        url: the server's base address up to and including `/v1`.
        model: its name there.
        params: how to sample.
        api_key: what the server wants to see; "" sends none.
    """

    url: str
    model: str
    params: SamplingParams
    api_key: str = field(default="", repr=False)

    @property
    def template_name(self) -> str:
        """Nobody but the server knows."""
        return "the server's"

    async def reply(self, messages: Sequence[Message]) -> AsyncGenerator[Delta, None]:
        """Yield the server's answer; closing the generator closes the connection.

        Raises:
            GenerationFailedError: the server cannot be reached, refuses, or breaks off.
        """
        seq = 0
        with line_failures(self.url):
            async with (
                httpx2.AsyncClient(**client_options(self.api_key)) as client,
                client.sse(
                    f"{self.url}/chat/completions",
                    method="POST",
                    json=self._body(messages),
                    max_event_size=LARGEST_EVENT_BYTES,
                ) as events,
            ):
                if events.response.status_code != httpx2.codes.OK:
                    body = b""
                    async for chunk in events.response.aiter_bytes():
                        body += chunk
                        check_size(body)
                    raise refusal(events.response.status_code, body)
                async for event in events:
                    if event.data == "[DONE]":
                        return
                    delta = _delta(event.data, seq)
                    seq = delta.next_seq
                    yield delta
        raise GenerationFailedError(code="cut_off", message="the server broke the answer off")

    def prompt_text(self, messages: Sequence[Message]) -> str | None:
        """Return None: the server keeps to itself what its model reads."""
        del messages
        return None

    def _body(self, messages: Sequence[Message]) -> dict[str, Any]:
        params = self.params
        body: dict[str, Any] = {
            "model": self.model,
            "messages": [message.as_dict() for message in messages],
            "temperature": params.temperature,
            "max_tokens": params.max_tokens,
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        if params.repetition_penalty != 1.0:  # not every server knows it
            body["repetition_penalty"] = params.repetition_penalty
        return body


def choose_model(url: str, wanted: str, *, api_key: str = "") -> str:
    """Return the model to ask a server for: the wanted one, or the only one it has.

    Args:
        url: the server's base address.
        wanted: a name; "" takes the only one.
        api_key: what the server wants to see.

    Raises:
        GenerationFailedError: the server cannot be reached or refuses.
        InvalidRequestError: the server has no such model, or several to choose from.
    """
    with line_failures(url), httpx2.Client(**client_options(api_key)) as client:
        body = b""
        with client.stream("GET", f"{url}/models") as response:
            for chunk in response.iter_bytes():
                body += chunk
                check_size(body)
    if response.status_code == httpx2.codes.NOT_FOUND and wanted:
        return wanted  # a server without a list
    if response.status_code != httpx2.codes.OK:
        raise refusal(response.status_code, body)
    names = _model_names(body)
    if wanted in names or (wanted and not names):
        return wanted
    if not wanted and len(names) == 1:
        return names[0]
    shown = ", ".join(sorted(names)[:SHOWN_MODELS]) or "none"
    what = f"has no model {wanted!r}" if wanted else "needs to know the model (--model)"
    raise InvalidRequestError(f"the server at {url} {what}; there are: {shown}")


def _model_names(body: bytes) -> list[str]:
    try:
        return [str(entry["id"]) for entry in json.loads(body)["data"]]
    except (ValueError, KeyError, TypeError) as error:
        raise GenerationFailedError(
            code="bad_answer", message="the server's list of models cannot be read"
        ) from error


def _delta(data: str, seq: int) -> Delta:
    """Read one event of an answer.

    Raises:
        GenerationFailedError: it reports an error, or cannot be read.
    """
    try:
        event = json.loads(data)
        if event.get("error"):
            raise complaint(event["error"], "server_error")
        choice = (event.get("choices") or [{}])[0]
        text = (choice.get("delta") or {}).get("content") or ""
        ended, usage = choice.get("finish_reason"), event.get("usage")
        return Delta(
            seq,
            (str(text),) if text else (),
            finish_reason=FINISH_REASONS.get(ended, FinishReason.STOP) if ended else None,
            usage=_usage(usage) if usage else None,
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise GenerationFailedError(
            code="bad_answer", message=f"the server sent what cannot be read: {data[:100]!r}"
        ) from error


def _usage(usage: dict[str, Any]) -> Usage:
    return Usage(int(usage["prompt_tokens"]), int(usage["completion_tokens"]))
