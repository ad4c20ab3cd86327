"""One answer told as events of several kinds: what the Responses and the Messages API share."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol

from django.http import StreamingHttpResponse

from inference.api.choices import Choices
from inference.api.errors import Problem, problem_of
from inference.api.logprobs import shown_scores
from inference.api.metrics import count_usage
from inference.api.sse import PING, stream_of
from inference.api.telling import first_or_close, whole_answers
from inference.conf import inference_settings
from inference.generation import Delta, FinishReason, TokenScore, Usage

Event = Mapping[str, Any]
Encode = Callable[[Event], bytes]


class Narrator(Protocol):
    """Says what one answer is in JSON, event by event."""

    def opening(self) -> Sequence[Event]:
        """Return what comes before any text."""
        ...

    def say(self, pieces: Sequence[str], scores: Sequence[TokenScore]) -> Sequence[Event]:
        """Return what tokens add; scores are those of all of them, or none."""
        ...

    def end(self, reason: FinishReason, usage: Usage) -> Sequence[Event]:
        """Return what comes when nothing follows."""
        ...

    def broken(self, problem: Problem) -> Sequence[Event]:
        """Return what comes when the answer cannot be finished."""
        ...


async def _nothing() -> None:
    """Do nothing."""


def named_event(data: Event) -> bytes:
    """Return an event under the name that its `type` says."""
    body = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    # Half a surrogate pair in what is repeated of the request stays the escape it came as.
    return f"event: {data['type']}\ndata: {body}\n\n".encode(errors="backslashreplace")


async def tell_whole(choices: Choices, narrator: Narrator) -> None:
    """Have a narrator tell one answer to its end.

    Raises:
        InferenceError: the answer could not be given.
    """
    (answer,) = await whole_answers(choices, 1)
    narrator.opening()
    narrator.say(answer.score_texts if answer.scores else answer.pieces, answer.scores)
    narrator.end(answer.finish_reason or FinishReason.STOP, answer.usage or Usage(0, 0))


async def narrated(
    choices: Choices,
    narrator: Narrator,
    *,
    encode: Encode = named_event,
    subject: str = "input",
    finish: Callable[[], Awaitable[None]] = _nothing,
) -> StreamingHttpResponse:
    """Return the stream once its first piece is here, so that a refusal can be a real status.

    Args:
        choices: the one running answer; closed at the end, and when the reader goes away.
        narrator: says what it is in JSON.
        encode: makes bytes of an event.
        subject: the field that holds what is answered.
        finish: what is done before the end of a whole answer is told.

    Raises:
        InferenceError: the answer could not be begun.
    """
    ping_interval_s = inference_settings().api_ping_interval_s
    first = await first_or_close(choices, patience_s=ping_interval_s)
    narration = Narration(
        choices,
        narrator,
        first=first,
        encode=encode,
        ping_interval_s=ping_interval_s,
        subject=subject,
        finish=finish,
    )
    return stream_of(narration)


class Narration:
    """The events of one answer as bytes; the arguments are those of `narrated`."""

    def __init__(
        self,
        choices: Choices,
        narrator: Narrator,
        *,
        first: tuple[int, Delta] | None,
        encode: Encode,
        ping_interval_s: float,
        subject: str,
        finish: Callable[[], Awaitable[None]],
    ) -> None:
        self.choices = choices
        self.narrator = narrator
        self.first = first
        self.encode = encode
        self.ping_interval_s = ping_interval_s
        self.subject = subject
        self.finish = finish
        self.usage = Usage(0, 0)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Yield the events as bytes."""
        try:
            yield self._encoded(self.narrator.opening())
            async for events in self._body():
                yield events
        finally:
            await self.choices.close()
            count_usage([self.usage])

    def close(self) -> None:
        """Stop the answer; Django calls it in a thread, also when nobody ever read."""
        self.choices.cancel_from_thread()

    async def _body(self) -> AsyncIterator[bytes]:
        try:
            arrived = self.first
            while arrived is not None or not self.choices.has_ended:
                if arrived is not None:
                    yield await self._told(arrived[1])
                try:
                    arrived = await self.choices.next(self.ping_interval_s)
                except TimeoutError:
                    arrived = None
                    yield PING
        except Exception as error:  # the status is sent; the stream can still say what broke
            yield self._encoded(self.narrator.broken(problem_of(error).about(self.subject)))

    async def _told(self, delta: Delta) -> bytes:
        scores = shown_scores(delta)
        pieces = delta.pieces[: len(scores)] if scores else delta.pieces
        events = list(self.narrator.say(pieces, scores)) if delta.text or scores else []
        if delta.is_last:
            self.usage = delta.usage or self.usage
            events += self.narrator.end(delta.finish_reason or FinishReason.STOP, self.usage)
            await self.finish()
        return self._encoded(events)

    def _encoded(self, events: Iterable[Event]) -> bytes:
        return b"".join(map(self.encode, events))
