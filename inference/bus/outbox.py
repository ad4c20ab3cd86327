"""The way out of a worker: the engine drops tokens here and never waits for the bus."""

import logging
import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from inference.bus.base import Bus
from inference.bus.events import Claim, Event
from inference.exceptions import BusUnavailableError
from inference.generation import Failure, FinishReason, TokenScore, Usage

logger = logging.getLogger(__name__)

GIVE_UP_AFTER_S = 120.0  # a finished answer that the bus would not take for so long is dropped


@dataclass(frozen=True, slots=True)
class Output:
    """What one step added to one answer.

    `pieces` are the texts of the new tokens; with a `finish_reason` the answer is over.
    `scores` and `result` are as in `Event`.
    """

    request_id: str
    pieces: tuple[str, ...] = ()
    finish_reason: FinishReason | None = None
    usage: Usage | None = None
    failure: Failure | None = None
    scores: tuple[TokenScore, ...] = ()
    result: Mapping[str, Any] | None = None


@dataclass(slots=True, eq=False)
class _Answer:
    """One answer on its way out; events of `unlogged` wait for the log, `logged` are in it."""

    claim: Claim
    inboxes: set[str]
    sent_end: int  # tokens up to here were in a frame
    fresh: list[Output] = field(default_factory=list)
    pieces: list[str] = field(default_factory=list)  # sent, not yet in an event for the log
    scores: list[TokenScore] = field(default_factory=list)  # theirs
    pieces_seq: int = 0
    unlogged: list[Event] = field(default_factory=list)
    logged: list[Event] = field(default_factory=list)
    is_behind: bool = False  # somebody lacks tokens: bring the log up to date and say how far it is
    ended_at: float | None = None
    done: threading.Event = field(default_factory=threading.Event)

    @property
    def has_mail(self) -> bool:
        return bool(self.fresh or self.unlogged or self.is_behind)

    @property
    def request_id(self) -> str:
        return self.claim.request.request_id


class Outbox:
    """Collects outputs of many answers and publishes them from a thread of its own.

    Everything that came since the last frame goes into the next one, so a slow bus makes frames
    larger and fewer. Frames that cannot be sent are lost; readers find their tokens in the log,
    whose entries are kept until the bus takes them.

    Args:
        bus: where to publish.
        worker_id: who publishes.
        chunk_tokens: tokens that share an entry of the log.
        pause_s: rest after a failed attempt.
    """

    def __init__(self, bus: Bus, *, worker_id: str, chunk_tokens: int, pause_s: float) -> None:
        self._bus = bus
        self._worker_id = worker_id
        self._chunk_tokens = chunk_tokens
        self._pause_s = pause_s
        self._answers: dict[str, _Answer] = {}
        self._changed = threading.Condition()
        self._is_closing = False
        self._thread = threading.Thread(target=self._run, name="outbox", daemon=True)
        self._thread.start()

    def open(self, claim: Claim) -> bool:
        """Take an answer under way; False if it is already."""
        seq = len(claim.prefix)
        with self._changed:
            if claim.request.request_id in self._answers:
                return False
            self._answers[claim.request.request_id] = _Answer(
                claim, set(claim.inboxes), seq, pieces_seq=seq, logged=list(claim.log)
            )
            return True

    def put(self, outputs: Iterable[Output]) -> None:
        """Add what a step brought; outputs of answers that are not under way are ignored."""
        with self._changed:
            for output in outputs:
                answer = self._answers.get(output.request_id)
                if answer is not None and answer.ended_at is None:
                    answer.fresh.append(output)
                    if output.finish_reason is not None:
                        answer.ended_at = time.monotonic()
            self._changed.notify()

    def fail(self, request_id: str, failure: Failure) -> None:
        """End an answer with an error."""
        self.put([Output(request_id, finish_reason=FinishReason.ERROR, failure=failure)])

    def fail_all(self, failure: Failure) -> None:
        """End every answer under way with an error."""
        for request_id in self.open_requests():
            self.fail(request_id, failure)

    def open_requests(self) -> list[str]:
        """Return the answers that have not ended yet."""
        with self._changed:
            return [key for key, answer in self._answers.items() if answer.ended_at is None]

    def attach(self, request_id: str, inbox: str) -> None:
        """Send an answer to one more inbox, and write its log up to date at once."""
        with self._changed:
            answer = self._answers.get(request_id)
            if answer is not None:
                answer.inboxes.add(inbox)
                answer.is_behind = True
                self._changed.notify()

    def recheck(self) -> None:
        """Make sure that every answer under way is still known, after the bus was away."""
        with self._changed:
            for answer in self._answers.values():
                answer.is_behind = True
            self._changed.notify()

    def wait(self, request_id: str, timeout_s: float) -> bool:
        """Return True once the answer has left completely, False after `timeout_s`."""
        with self._changed:
            answer = self._answers.get(request_id)
        return answer is None or answer.done.wait(timeout_s)

    def close(self, timeout_s: float) -> None:
        """Send what is there and stop."""
        with self._changed:
            self._is_closing = True
            self._changed.notify()
        self._thread.join(timeout_s)

    def _run(self) -> None:
        while True:
            with self._changed:
                while not (mail := [a for a in self._answers.values() if a.has_mail]):
                    if self._is_closing:
                        return
                    self._changed.wait()
                frames = self._make_frames(mail)
            try:
                self._send(mail, frames)
            except BusUnavailableError as error:
                logger.debug("kept %d answers for later: %s", len(mail), error)
                if self._is_closing:
                    return
                self._drop_hopeless()
                time.sleep(self._pause_s)
            except Exception:  # the thread must outlive a bug, or every answer hangs
                logger.exception("a frame could not be published")
                time.sleep(self._pause_s)

    def _make_frames(self, mail: list[_Answer]) -> dict[str, list[Event]]:
        """Turn fresh outputs into one frame for each inbox, and into entries for the logs."""
        frames: dict[str, list[Event]] = {}
        for answer in mail:
            event = self._merge(answer)
            for inbox in answer.inboxes:
                frames.setdefault(inbox, []).append(event)
        return frames

    def _merge(self, answer: _Answer) -> Event:
        """Return everything fresh as one event; long enough or last, it goes to the log too."""
        fresh, answer.fresh = answer.fresh, []
        last = fresh[-1] if fresh else Output(answer.request_id)
        pieces = [piece for output in fresh for piece in output.pieces]
        scores = [score for output in fresh for score in output.scores]
        event = Event(
            answer.request_id,
            answer.claim.attempt,
            answer.sent_end,
            tuple(pieces),
            last.finish_reason,
            last.usage,
            last.failure,
            tuple(scores),
            last.result,
        )
        answer.sent_end += len(pieces)
        answer.pieces += pieces
        answer.scores += scores
        is_due = len(answer.pieces) >= self._chunk_tokens or answer.is_behind
        if event.is_last or (is_due and answer.pieces):
            log_pieces = tuple(answer.pieces)
            entry = replace(
                event, seq=answer.pieces_seq, pieces=log_pieces, scores=tuple(answer.scores)
            )
            answer.unlogged.append(entry)
            answer.pieces_seq += len(log_pieces)
            answer.pieces.clear()
            answer.scores.clear()
        return event

    def _send(self, mail: list[_Answer], frames: dict[str, list[Event]]) -> None:
        due = [answer for answer in mail if answer.unlogged or answer.is_behind]
        logs = {answer.request_id: list(answer.unlogged) for answer in due}
        for answer in mail:
            answer.is_behind = True  # until we know better
        unknown = self._bus.publish(frames, logs)
        for answer in mail:
            sent = logs.get(answer.request_id, [])
            if answer.request_id in unknown:
                log = [*answer.logged, *sent]
                self._bus.restore(answer.claim, worker_id=self._worker_id, log=log)
            del answer.unlogged[: len(sent)]
            answer.logged += sent
            answer.is_behind = False
            if answer.ended_at is not None and not answer.has_mail:
                self._finish(answer)

    def _finish(self, answer: _Answer) -> None:
        with self._changed:
            self._answers.pop(answer.request_id, None)
        answer.done.set()

    def _drop_hopeless(self) -> None:
        now = time.monotonic()
        with self._changed:
            answers = list(self._answers.values())
        for answer in answers:
            if answer.ended_at is not None and now - answer.ended_at > GIVE_UP_AFTER_S:
                logger.error("dropped an answer that the bus would not take")
                self._finish(answer)
