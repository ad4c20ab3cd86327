"""What an engine tells about itself: how busy it is, and what it has done so far."""

from dataclasses import dataclass
from enum import StrEnum

from inference.engine.histograms import Durations, Histogram
from inference.engine.sequence import Sequence
from inference.generation import Usage


class Outcome(StrEnum):
    """How a request ended, as the totals count it."""

    FINISHED = "finished"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class EngineLoad:
    """How busy an engine is: sequences that run and wait, and how many can run."""

    running: int
    waiting: int
    slots: int


@dataclass(frozen=True, slots=True)
class StepStats:
    """What one step did.

    On an accelerator the forward pass only begins within its own time; what is left of it is
    waited for while sampling.

    Attributes:
        running: sequences with a slot after the step.
        waiting: sequences without one.
        batch_size: sequences that were computed.
        decode_tokens: tokens computed for sequences that decode, their drafts included.
        prefill_tokens: tokens computed of texts that are being read.
        cache_usage: part of the cache's blocks that hold a sequence, 0 to 1.
        forward_s: seconds in the forward pass.
        sampling_s: seconds in choosing tokens.
        rest_s: seconds in everything else.
    """

    running: int
    waiting: int
    batch_size: int
    decode_tokens: int
    prefill_tokens: int
    cache_usage: float
    forward_s: float
    sampling_s: float
    rest_s: float


@dataclass(frozen=True, slots=True)
class EngineStats:
    """Totals since the engine was made, and the state of its cache.

    Attributes:
        steps: forward passes.
        prompt_tokens: tokens of the prompts of all ended requests.
        cached_tokens: how many of them came from the prefix cache.
        completion_tokens: tokens of their answers.
        generated_tokens: tokens generated so far, also by those that still run.
        drafted_tokens: tokens that were guessed ahead.
        accepted_tokens: how many of them were right.
        finished: requests that came to their end.
        failed: requests that broke.
        cancelled: requests that were no longer wanted.
        preemptions: times a sequence lost its blocks to another one.
        used_blocks: cache blocks that hold a sequence now.
        free_blocks: the others.
        queue_s: from a request's arrival to its slot.
        first_token_s: from a request's arrival to its first token.
        token_s: from one token of an answer to the next.
    """

    steps: int
    prompt_tokens: int
    cached_tokens: int
    completion_tokens: int
    generated_tokens: int
    drafted_tokens: int
    accepted_tokens: int
    finished: int
    failed: int
    cancelled: int
    preemptions: int
    used_blocks: int
    free_blocks: int
    queue_s: Durations
    first_token_s: Durations
    token_s: Durations

    @property
    def cache_usage(self) -> float:
        """Part of the cache's blocks that hold a sequence now, 0 to 1."""
        return self.used_blocks / (self.used_blocks + self.free_blocks)


class Totals:
    """Counts what happens, in the thread that steps.

    Attributes:
        steps: forward passes.
        generated_tokens: tokens generated.
        drafted_tokens: tokens that were guessed ahead.
        accepted_tokens: how many of them were right.
    """

    def __init__(self) -> None:
        self.steps = 0
        self.generated_tokens = 0
        self.drafted_tokens = 0
        self.accepted_tokens = 0
        self._prompt_tokens = 0
        self._cached_tokens = 0
        self._completion_tokens = 0
        self._outcomes = dict.fromkeys(Outcome, 0)
        self._queue_s = Histogram()
        self._first_token_s = Histogram()
        self._token_s = Histogram()

    def count(self, outcome: Outcome, usage: Usage) -> None:
        """Count a request that ended."""
        self._outcomes[outcome] += 1
        self._prompt_tokens += usage.prompt_tokens
        self._cached_tokens += usage.cached_tokens
        self._completion_tokens += usage.completion_tokens

    def count_tokens(self, sequence: Sequence, count: int, *, now: float) -> None:
        """Count tokens that a sequence got in one step.

        Args:
            sequence: whose.
            count: how many, at least 1.
            now: the time, in seconds of `time.monotonic`.
        """
        self.generated_tokens += count
        if sequence.token_at:
            self._token_s.add((now - sequence.token_at) / count, times=count)
        elif sequence.started_at:  # others go on from a prompt that was read for all of them
            self._queue_s.add(sequence.started_at - sequence.arrived_at)
            self._first_token_s.add(now - sequence.arrived_at)
        sequence.token_at = now

    def stats(self, *, preemptions: int, used_blocks: int, free_blocks: int) -> EngineStats:
        """Return the totals with the scheduler's and the cache's numbers."""
        return EngineStats(
            steps=self.steps,
            prompt_tokens=self._prompt_tokens,
            cached_tokens=self._cached_tokens,
            completion_tokens=self._completion_tokens,
            generated_tokens=self.generated_tokens,
            drafted_tokens=self.drafted_tokens,
            accepted_tokens=self.accepted_tokens,
            finished=self._outcomes[Outcome.FINISHED],
            failed=self._outcomes[Outcome.FAILED],
            cancelled=self._outcomes[Outcome.CANCELLED],
            preemptions=preemptions,
            used_blocks=used_blocks,
            free_blocks=free_blocks,
            queue_s=self._queue_s.durations(),
            first_token_s=self._first_token_s.durations(),
            token_s=self._token_s.durations(),
        )
