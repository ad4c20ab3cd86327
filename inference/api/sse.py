"""Answers told as server-sent events."""

import json
from collections.abc import AsyncIterable, AsyncIterator, Mapping
from typing import Any

from django.http import StreamingHttpResponse

from inference.api.choices import Choices
from inference.api.errors import problem_of
from inference.api.metrics import count_usage
from inference.api.telling import Teller, first_or_close
from inference.conf import inference_settings
from inference.generation import Delta, Usage

DONE = b"data: [DONE]\n\n"
PING = b": ping\n\n"  # a comment: keeps proxies from closing a quiet stream


def event(data: Mapping[str, Any]) -> bytes:
    """Return one event with a JSON body."""
    return (
        b"data: " + json.dumps(data, ensure_ascii=False, separators=(",", ":")).encode() + b"\n\n"
    )


def stream_of(events: AsyncIterable[bytes]) -> StreamingHttpResponse:
    """Return events as a response that no proxy keeps or holds back."""
    return StreamingHttpResponse(
        events,
        content_type="text/event-stream",
        headers={"Cache-Control": "no-cache", "X-Accel-Buffering": "no"},
    )


async def event_response(
    choices: Choices, teller: Teller, *, includes_usage: bool, subject: str = "messages"
) -> StreamingHttpResponse:
    """Return the stream once its first piece is here, so that a refusal can be a real status.

    Args:
        choices: the running answers; closed at the end, and when the reader goes away.
        teller: says what they are in JSON.
        includes_usage: whether the stream ends with a chunk that counts tokens.
        subject: the field that holds what is answered.

    Raises:
        InferenceError: an answer could not be begun.
    """
    ping_interval_s = inference_settings().api_ping_interval_s
    first = await first_or_close(choices, patience_s=ping_interval_s)
    events = CompletionEvents(
        choices,
        teller,
        first=first,
        includes_usage=includes_usage,
        ping_interval_s=ping_interval_s,
        subject=subject,
    )
    return stream_of(events)


class CompletionEvents:
    """The events of one order: what opens it, what each delta adds, usage, `[DONE]`.

    A failure after the first event is an event of its own that ends the stream without `[DONE]`,
    so that no client takes half an answer for a whole one.

    Attributes:
        choices: the running answers; closed at the end, and when the reader goes away.
        teller: says what they are in JSON.
        first: what came before the response began, if anything did.
        includes_usage: whether the last chunk counts the tokens.
        ping_interval_s: silence after which a comment is sent.
        subject: the field that holds what is answered.
    """

    def __init__(
        self,
        choices: Choices,
        teller: Teller,
        *,
        first: tuple[int, Delta] | None,
        includes_usage: bool,
        ping_interval_s: float,
        subject: str,
    ) -> None:
        self.choices = choices
        self.teller = teller
        self.first = first
        self.includes_usage = includes_usage
        self.ping_interval_s = ping_interval_s
        self.subject = subject
        self.usages: dict[int, Usage] = {}

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Yield the events as bytes."""
        try:
            for chunk in self.teller.opening():
                yield self._event(chunk)
            async for events in self._body():
                yield events
        finally:
            await self.choices.close()
            count_usage(self.usages.values())

    def close(self) -> None:
        """Stop the answers; Django calls it in a thread, also when nobody ever read."""
        self.choices.cancel_from_thread()

    async def _body(self) -> AsyncIterator[bytes]:
        try:
            if self.first is not None:
                yield self._delta(*self.first)
            async for events in self._rest():
                yield events
        except Exception as error:  # the status is sent; the stream can still say what broke
            yield event(problem_of(error).about(self.subject).body())
            return
        if self.includes_usage:
            yield event(self.teller.usage_chunk(self.usages))
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
        """Return the events of one delta; it may have none."""
        if delta.usage is not None:
            self.usages[index] = delta.usage
        return b"".join(map(self._event, self.teller.chunks(index, delta)))

    def _event(self, chunk: dict[str, Any]) -> bytes:
        return event(chunk | {"usage": None} if self.includes_usage else chunk)
