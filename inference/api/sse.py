"""A chat completion told as server-sent events."""

import json
from collections.abc import AsyncIterator
from typing import Any

from django.http import StreamingHttpResponse

from inference.api import answers
from inference.api.answers import Heading
from inference.api.choices import Choices
from inference.api.errors import problem_of
from inference.api.metrics import count_usage
from inference.api.orders import ChatOrder
from inference.generation import Delta, FinishReason, Usage

DONE = b"data: [DONE]\n\n"
PING = b": ping\n\n"  # a comment: keeps proxies from closing a quiet stream


def event(data: dict[str, Any]) -> bytes:
    """Return one event with a JSON body."""
    return (
        b"data: " + json.dumps(data, ensure_ascii=False, separators=(",", ":")).encode() + b"\n\n"
    )


def event_response(events: "CompletionEvents") -> StreamingHttpResponse:
    """Return the response that sends the events as they come."""
    return StreamingHttpResponse(
        events,
        content_type="text/event-stream",
        headers={"Cache-Control": "no-cache", "X-Accel-Buffering": "no"},
    )


class CompletionEvents:
    """The events of one order: role, text, finish reason, usage, `[DONE]`.

    A failure after the first event is an event of its own that ends the stream without `[DONE]`,
    so that no client takes half an answer for a whole one.

    Attributes:
        heading: what every chunk repeats.
        order: what was asked for.
        choices: the running answers; closed at the end, and when the reader goes away.
        first: what came before the response began, if anything did.
        ping_interval_s: silence after which a comment is sent.
    """

    def __init__(
        self,
        *,
        heading: Heading,
        order: ChatOrder,
        choices: Choices,
        first: tuple[int, Delta] | None,
        ping_interval_s: float,
    ) -> None:
        self.heading = heading
        self.order = order
        self.choices = choices
        self.first = first
        self.ping_interval_s = ping_interval_s
        self.usages: list[Usage] = []

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Yield the events as bytes."""
        try:
            for index in range(self.order.choice_count):
                yield self._chunk(index, {"role": "assistant", "content": "", "refusal": None})
            async for events in self._body():
                yield events
        finally:
            await self.choices.close()
            count_usage(self.usages)

    def close(self) -> None:
        """Stop the answers; Django calls it in a thread, also when nobody ever read."""
        self.choices.cancel_from_thread()

    async def _body(self) -> AsyncIterator[bytes]:
        if self.first is not None:
            yield self._delta(*self.first)
        try:
            async for events in self._rest():
                yield events
        except Exception as error:  # the status is sent; the stream can still say what broke
            yield event(problem_of(error).body())
            return
        if self.order.includes_usage:
            yield event(answers.usage_chunk(self.heading, self.usages))
        yield DONE

    async def _rest(self) -> AsyncIterator[bytes]:
        while True:
            try:
                arrived = await self.choices.next(self.ping_interval_s)
            except TimeoutError:
                yield PING
                continue
            if arrived is None:
                return
            yield self._delta(*arrived)

    def _delta(self, index: int, delta: Delta) -> bytes:
        """Return the events of one delta; a delta without text and end has none."""
        events = self._chunk(index, {"content": delta.text}) if delta.text else b""
        if delta.is_last:
            events += self._chunk(index, {}, delta.finish_reason)
        if delta.usage is not None:
            self.usages.append(delta.usage)
        return events

    def _chunk(
        self, index: int, delta: dict[str, Any], finish_reason: FinishReason | None = None
    ) -> bytes:
        chunk = answers.chunk(self.heading, index=index, delta=delta, finish_reason=finish_reason)
        if self.order.includes_usage:
            chunk["usage"] = None
        return event(chunk)
