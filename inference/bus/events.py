"""What travels on the bus: events of answers, heartbeats of workers, orders to workers."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from enum import StrEnum
from typing import Any, Literal

import msgpack

from inference.exceptions import InvalidRequestError
from inference.generation import Delta, Failure, FinishReason, TokenScore, Usage
from inference.requests import AnyRequest, read_request


@dataclass(frozen=True, slots=True)
class Event:
    """Some tokens of one answer, in frames and in logs alike.

    An event without tokens and without an end only says how far the answer is.

    Attributes:
        request_id: which answer.
        attempt: which try at it, from 0; a later attempt silences the earlier ones.
        seq: index in the answer of the first token here.
        pieces: the text of each token.
        finish_reason: set on the last event of an answer.
        usage: token counts, on the last event.
        failure: set when `finish_reason` is ERROR.
        scores: how likely each token was, where that was asked for; else empty.
        result: what was asked for beside text, on the last event.
    """

    request_id: str
    attempt: int
    seq: int
    pieces: tuple[str, ...] = ()
    finish_reason: FinishReason | None = None
    usage: Usage | None = None
    failure: Failure | None = None
    scores: tuple[TokenScore, ...] = ()
    result: Mapping[str, Any] | None = None

    @property
    def end(self) -> int:
        """The `seq` of the event that follows."""
        return self.seq + len(self.pieces)

    @property
    def is_last(self) -> bool:
        """Whether the answer ends here."""
        return self.finish_reason is not None

    def since(self, seq: int) -> Delta:
        """Return what this event adds for a reader that has everything before `seq`."""
        known = max(0, seq - self.seq)
        return Delta(
            seq=max(seq, self.seq),
            pieces=self.pieces[known:],
            finish_reason=self.finish_reason,
            usage=self.usage,
            failure=self.failure,
            scores=self.scores[known:],
            result=self.result,
        )

    def as_list(self) -> list[Any]:
        """Return the event as short plain data: what is absent takes no room."""
        plain = [self.request_id, self.attempt, self.seq, list(self.pieces)]
        extras: dict[str, Any] = {}
        if self.scores:
            extras["scores"] = [score.as_list() for score in self.scores]
        if self.result is not None:
            extras["result"] = self.result
        if self.finish_reason is None:
            return [*plain, extras] if extras else plain
        usage = self.usage
        counts = usage and [usage.prompt_tokens, usage.completion_tokens, usage.cached_tokens]
        failure = self.failure and [self.failure.code, self.failure.message]
        ending = [self.finish_reason.value, counts, failure]
        return [*plain, extras, *ending]

    @classmethod
    def from_list(cls, data: Sequence[Any]) -> "Event":
        """Read what `as_list` wrote."""
        request_id, attempt, seq, pieces = data[:4]
        event = cls(request_id, attempt, seq, tuple(pieces))
        if len(data) == 4:
            return event
        extras = data[4]
        event = replace(
            event,
            scores=tuple(map(TokenScore.from_list, extras.get("scores", ()))),
            result=extras.get("result"),
        )
        if len(data) == 5:
            return event
        reason, counts, failure = data[5:]
        return replace(
            event,
            finish_reason=FinishReason(reason),
            usage=Usage(*counts) if counts else None,
            failure=Failure(*failure) if failure else None,
        )


def pack_events(events: Iterable[Event]) -> bytes:
    """Return a frame: the events one process gets from one engine step."""
    packed: bytes = msgpack.packb([event.as_list() for event in events])
    return packed


def unpack_events(data: bytes) -> list[Event]:
    """Read what `pack_events` wrote."""
    return [Event.from_list(entry) for entry in msgpack.unpackb(data)]


def pack_request(request: AnyRequest) -> bytes:
    """Return a request as the bus keeps it.

    Raises:
        InvalidRequestError: something in it, such as a schema, cannot be written down.
    """
    try:
        packed: bytes = msgpack.packb(request.as_dict())
    except (OverflowError, UnicodeEncodeError) as error:
        raise InvalidRequestError(
            "the request holds a number of more than 64 bits, or half a surrogate pair"
        ) from error
    return packed


def unpack_request(data: bytes) -> AnyRequest:
    """Read what `pack_request` wrote."""
    return read_request(msgpack.unpackb(data))


@dataclass(frozen=True, slots=True)
class Tally:
    """What a worker's engine has done since its start.

    Attributes:
        cache_usage: part of the KV cache in use now, 0 to 1.
        prompt_tokens: tokens of the prompts of ended requests.
        cached_tokens: how many of them need not be read, as an earlier prompt began alike.
        generated_tokens: tokens of answers.
        drafted_tokens: tokens that were guessed ahead.
        accepted_tokens: how many of them were right.
        preemptions: times an answer lost its place in the cache and was computed again.
        queue_s: waits for a slot: how many by bucket of the engine's histograms, then their sum.
        first_token_s: the same for the time to the first token.
        token_s: the same for the time from one token to the next.
    """

    cache_usage: float = 0.0
    prompt_tokens: int = 0
    cached_tokens: int = 0
    generated_tokens: int = 0
    drafted_tokens: int = 0
    accepted_tokens: int = 0
    preemptions: int = 0
    queue_s: tuple[float, ...] = ()
    first_token_s: tuple[float, ...] = ()
    token_s: tuple[float, ...] = ()

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "Tally":
        """Read what `asdict` made of a tally, maybe in another version of this program."""
        known = {field.name for field in fields(cls)}
        values: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value
            for name, value in data.items()
            if name in known
        }
        return cls(**values)


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """A worker's word that it lives, and what it can do.

    Attributes:
        worker_id: fresh for every start, so that a restart is not taken for survival.
        models: names it answers.
        slots: answers it generates at the same time.
        running: answers being generated.
        waiting: answers that wait for a slot.
        context_length: window of the model in tokens; 0 where it is not known.
        device: where the model lives, such as `cpu` or `cuda:0`.
        dtype: number format of the weights.
        takes_images: whether messages may hold images.
        tool_format: how its model writes calls of functions; see `inference.tools`.
        is_draining: whether it takes no new requests.
        tally: what its engine has done.
    """

    worker_id: str
    models: tuple[str, ...]
    slots: int
    running: int = 0
    waiting: int = 0
    context_length: int = 0
    device: str = ""
    dtype: str = ""
    takes_images: bool = False
    tool_format: str = ""
    is_draining: bool = False
    tally: Tally = Tally()

    def pack(self) -> bytes:
        """Return the heartbeat as bytes."""
        packed: bytes = msgpack.packb(asdict(self))
        return packed

    @classmethod
    def unpack(cls, data: bytes) -> "Heartbeat":
        """Read what `pack` wrote."""
        values = msgpack.unpackb(data)
        tally = Tally.from_dict(values.get("tally", {}))
        return cls(**{**values, "models": tuple(values["models"]), "tally": tally})


@dataclass(frozen=True, slots=True)
class Order:
    """What a web process wants of the worker that answers a request."""

    action: Literal["cancel", "attach"]
    request_id: str
    inbox: str = ""

    def pack(self) -> bytes:
        """Return the order as bytes."""
        packed: bytes = msgpack.packb([self.action, self.request_id, self.inbox])
        return packed

    @classmethod
    def unpack(cls, data: bytes) -> "Order":
        """Read what `pack` wrote."""
        return cls(*msgpack.unpackb(data))


class RequestState(StrEnum):
    """Where a request is."""

    QUEUED = "queued"
    RUNNING = "running"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class RequestView:
    """What the bus knows about a request.

    Attributes:
        model: name it is for.
        state: queued, running or ended.
        attempt: the try that counts now, from 0.
        worker_id: who runs or ran it; empty while queued.
        log: its events so far, oldest first; the newest tokens may still be missing.
    """

    model: str
    state: RequestState
    attempt: int
    worker_id: str
    log: tuple[Event, ...]

    @property
    def logged_end(self) -> int:
        """The index of the first token that is not in the log."""
        return logged_end(self.log)


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to answer a request, given to one worker.

    Attributes:
        request: what is wanted.
        attempt: the try that was claimed.
        inboxes: web processes that listen.
        log: what earlier attempts said; the answer goes on from there.
    """

    request: AnyRequest
    attempt: int
    inboxes: frozenset[str]
    log: tuple[Event, ...] = ()

    @property
    def prefix(self) -> tuple[str, ...]:
        """The tokens that were sent already."""
        return logged_pieces(self.log)


def valid_events(log: Iterable[Event]) -> list[Event]:
    """Return the log without what a fenced worker wrote after its successor began."""
    newest = 0
    kept = []
    for event in log:
        if event.attempt >= newest:
            newest = event.attempt
            kept.append(event)
    return kept


def logged_end(log: Iterable[Event]) -> int:
    """Return the index of the first token that is not in the log."""
    return max((event.end for event in valid_events(log)), default=0)


def logged_pieces(log: Iterable[Event]) -> tuple[str, ...]:
    """Return the tokens of a log in order, each once, up to its first hole."""
    pieces: list[str] = []
    for event in valid_events(log):
        if event.seq > len(pieces):
            break
        pieces.extend(event.pieces[len(pieces) - event.seq :])
    return tuple(pieces)
