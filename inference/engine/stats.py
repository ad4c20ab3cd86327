"""What an engine tells about itself: how busy it is, and what it has done so far."""

from dataclasses import dataclass
from enum import StrEnum

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
class EngineStats:
    """Totals since the engine was made, and the state of its cache.

    Attributes:
        steps: forward passes.
        prompt_tokens: tokens of the prompts of all ended requests.
        cached_tokens: how many of them came from the prefix cache.
        completion_tokens: tokens of their answers.
        finished: requests that came to their end.
        failed: requests that broke.
        cancelled: requests that were no longer wanted.
        preemptions: times a sequence lost its blocks to an older one.
        used_blocks: cache blocks that hold a sequence now.
        free_blocks: the others.
    """

    steps: int
    prompt_tokens: int
    cached_tokens: int
    completion_tokens: int
    finished: int
    failed: int
    cancelled: int
    preemptions: int
    used_blocks: int
    free_blocks: int


class Totals:
    """Counts what happens, in the thread that steps."""

    def __init__(self) -> None:
        self.steps = 0
        self._prompt_tokens = 0
        self._cached_tokens = 0
        self._completion_tokens = 0
        self._outcomes = dict.fromkeys(Outcome, 0)

    def count(self, outcome: Outcome, usage: Usage) -> None:
        """Count a request that ended."""
        self._outcomes[outcome] += 1
        self._prompt_tokens += usage.prompt_tokens
        self._cached_tokens += usage.cached_tokens
        self._completion_tokens += usage.completion_tokens

    def stats(self, *, preemptions: int, used_blocks: int, free_blocks: int) -> EngineStats:
        """Return the totals with the scheduler's and the cache's numbers."""
        return EngineStats(
            steps=self.steps,
            prompt_tokens=self._prompt_tokens,
            cached_tokens=self._cached_tokens,
            completion_tokens=self._completion_tokens,
            finished=self._outcomes[Outcome.FINISHED],
            failed=self._outcomes[Outcome.FAILED],
            cancelled=self._outcomes[Outcome.CANCELLED],
            preemptions=preemptions,
            used_blocks=used_blocks,
            free_blocks=free_blocks,
        )
