"""An engine without a model: counts on from where the conversation stands, step by step."""

import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from inference.engine.stats import EngineStats, Totals
from inference.exceptions import InvalidRequestError
from inference.generation import Failure, FinishReason, SamplingParams, Usage
from inference.messages import Message, Role

ANSWER_TOKENS = 40


def counted(first: int, last: int) -> str:
    """The answer's tokens from `first` up to and without `last`, as text."""
    return "".join(f"{number} " for number in range(first, last))


@dataclass(frozen=True)
class FakeLoad:
    """How busy it is."""

    running: int
    waiting: int
    slots: int


@dataclass(frozen=True)
class FakeOutput:
    """What a step added."""

    request_id: str
    piece: str = ""
    token: int | None = None
    finish_reason: FinishReason | None = None
    usage: Usage | None = None
    failure: Failure | None = None
    logprobs: None = None
    prompt_logprobs: None = None
    embedding: None = None


@dataclass
class FakeSequence:
    """One answer: the next number and the one where it ends."""

    position: int
    end: int
    begin: int
    reason: FinishReason


class FakeEngine:
    """Answers "0 1 2 3 …"; continues an assistant's last message.

    Args:
        answer_tokens: where an answer ends by itself.
        slots: answers at the same time; more wait.
        step_s: time of one step.
    """

    def __init__(
        self, *, slots: int = 4, step_s: float = 0.0, answer_tokens: int = ANSWER_TOKENS
    ) -> None:
        self.answer_tokens = answer_tokens
        self.slots = slots
        self.step_s = step_s
        self.submitted: list[str] = []
        self.is_stuck = threading.Event()
        self.breaks_next_steps = 0
        self._changed = threading.Condition()
        self._waiting: dict[str, FakeSequence] = {}
        self._running: dict[str, FakeSequence] = {}
        self._cancelled: set[str] = set()

    def submit(
        self,
        request_id: str,
        *,
        messages: Sequence[Message] | None = None,
        prompt: str | None = None,
        prompt_token_ids: Sequence[int] | None = None,
        params: SamplingParams,
        constraint: None = None,
        adapter: str = "",
        tools: Sequence[Mapping[str, Any]] = (),
        template_options: Mapping[str, Any] | None = None,
    ) -> None:
        """Queue an answer; the prompt "bad" is refused."""
        assert messages, "it answers conversations"
        if messages[-1].content == "bad":
            raise InvalidRequestError("this prompt is bad", param="messages")
        begin = 0
        if messages[-1].role is Role.ASSISTANT:
            begin = len(messages[-1].content.split())
        left = self.answer_tokens - begin
        is_cut = params.max_tokens is not None and params.max_tokens < left
        end = begin + (params.max_tokens or left) if is_cut else self.answer_tokens
        reason = FinishReason.LENGTH if is_cut else FinishReason.STOP
        with self._changed:
            self.submitted.append(request_id)
            self._waiting[request_id] = FakeSequence(begin, end, begin, reason)
            self._changed.notify_all()

    def prompt_text(self, messages: Sequence[Message], *, adapter: str = "") -> str:
        """Show a conversation as its last message."""
        return messages[-1].content

    def cancel(self, request_id: str) -> None:
        """End an answer at the next step."""
        with self._changed:
            if request_id in self._waiting or request_id in self._running:
                self._cancelled.add(request_id)

    def has_work(self) -> bool:
        """Whether anything is queued or running."""
        return bool(self._waiting or self._running)

    def wait_for_work(self, timeout: float | None = None) -> bool:
        """Sleep until there is work."""
        with self._changed:
            return bool(self._changed.wait_for(self.has_work, timeout))

    def load(self) -> FakeLoad:
        """How busy it is."""
        with self._changed:
            return FakeLoad(len(self._running), len(self._waiting), self.slots)

    def stats(self) -> EngineStats:
        """Nothing was counted."""
        return Totals().stats(preemptions=0, used_blocks=0, free_blocks=1)

    def step(self) -> list[FakeOutput]:
        """One number for every running answer."""
        while self.is_stuck.is_set():
            time.sleep(0.01)
        time.sleep(self.step_s)
        if self.breaks_next_steps:
            self.breaks_next_steps -= 1
            raise RuntimeError("a step broke, as the test wanted")
        with self._changed:
            outputs = [self._drop(request_id) for request_id in self._cancelled]
            self._cancelled.clear()
            while self._waiting and len(self._running) < self.slots:
                request_id = next(iter(self._waiting))
                self._running[request_id] = self._waiting.pop(request_id)
            return outputs + [self._advance(key) for key in list(self._running)]

    def _drop(self, request_id: str) -> FakeOutput:
        sequence = self._waiting.pop(request_id, None) or self._running.pop(request_id)
        return FakeOutput(
            request_id, finish_reason=FinishReason.CANCELLED, usage=self._usage(sequence)
        )

    def _advance(self, request_id: str) -> FakeOutput:
        sequence = self._running[request_id]
        number = sequence.position
        sequence.position += 1
        if sequence.position < sequence.end:
            return FakeOutput(request_id, f"{number} ", number)
        del self._running[request_id]
        usage = self._usage(sequence)
        return FakeOutput(request_id, f"{number} ", number, sequence.reason, usage)

    def _usage(self, sequence: FakeSequence) -> Usage:
        return Usage(3 + sequence.begin, sequence.position - sequence.begin)
