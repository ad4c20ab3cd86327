"""What a host needs of an engine; `inference.engine.llm_engine.LLMEngine` is the real one."""

from collections.abc import Sequence
from typing import Protocol

from inference.exceptions import InvalidRequestError
from inference.generation import Failure, FinishReason, SamplingParams, Usage
from inference.messages import Message

UNSERVED = ("n", "best_of", "logprobs", "prompt_logprobs", "echo")
"""Parameters whose result the bus cannot carry; they must have their defaults."""


def check_carried(params: SamplingParams) -> None:
    """Accept parameters whose whole result can travel over the bus.

    Raises:
        InvalidRequestError: one asks for more than the text of one answer.
    """
    default = SamplingParams()
    for name in UNSERVED:
        if getattr(params, name) != getattr(default, name):
            raise InvalidRequestError(f"{name} is not served over the bus yet", param=name)


class StepOutput(Protocol):
    """What one step of an engine adds to one answer."""

    @property
    def request_id(self) -> str:
        """Which answer."""

    @property
    def piece(self) -> str:
        """The text of the new token."""

    @property
    def token(self) -> int | None:
        """The new token; None where the answer ended without one."""

    @property
    def finish_reason(self) -> FinishReason | None:
        """Set on the last output of an answer."""

    @property
    def usage(self) -> Usage | None:
        """Set on the last output of an answer."""

    @property
    def failure(self) -> Failure | None:
        """Set where the answer broke."""


class EngineLoad(Protocol):
    """How busy an engine is."""

    @property
    def running(self) -> int:
        """Answers being generated."""

    @property
    def waiting(self) -> int:
        """Answers that wait for a slot."""

    @property
    def slots(self) -> int:
        """Answers that can be generated at the same time."""


class Durations(Protocol):
    """How long something took."""

    @property
    def counts(self) -> tuple[int, ...]:
        """How often, by bucket."""

    @property
    def total_s(self) -> float:
        """All durations together."""


class EngineStats(Protocol):
    """What an engine has done; see `inference.engine.stats.EngineStats`."""

    @property
    def cache_usage(self) -> float:
        """Part of the KV cache in use."""

    @property
    def prompt_tokens(self) -> int:
        """Tokens of prompts."""

    @property
    def cached_tokens(self) -> int:
        """How many of them were not read."""

    @property
    def generated_tokens(self) -> int:
        """Tokens of answers."""

    @property
    def drafted_tokens(self) -> int:
        """Tokens guessed ahead."""

    @property
    def accepted_tokens(self) -> int:
        """How many of them were right."""

    @property
    def preemptions(self) -> int:
        """Answers that were computed again."""

    @property
    def queue_s(self) -> Durations:
        """Waits for a slot."""

    @property
    def first_token_s(self) -> Durations:
        """Times to the first token."""

    @property
    def token_s(self) -> Durations:
        """Times from token to token."""


class Engine(Protocol):
    """Answers many requests step by step; `step` is called from one thread, the rest from any."""

    def submit(
        self,
        request_id: str,
        *,
        messages: Sequence[Message],
        params: SamplingParams,
        adapter: str = "",
    ) -> None:
        """Let a conversation be answered; an assistant's last message is continued.

        Args:
            request_id: names the answer.
            messages: the conversation.
            params: how to answer.
            adapter: the adapter that answers; empty is the bare model.

        Raises:
            InferenceError: it cannot be.
        """

    def prompt_text(self, messages: Sequence[Message], *, adapter: str = "") -> str:
        """Return the text that the model reads for a conversation.

        Raises:
            InferenceError: it cannot be written.
        """

    def cancel(self, request_id: str) -> None:
        """End an answer at the next step."""

    def step(self) -> Sequence[StepOutput]:
        """Compute once for all running answers."""

    def has_work(self) -> bool:
        """Tell whether a step would do anything."""

    def wait_for_work(self, timeout: float | None = None) -> bool:
        """Sleep until there is work or the time is over; return `has_work`."""

    def load(self) -> EngineLoad:
        """Return how busy the engine is."""

    def stats(self) -> EngineStats:
        """Return what the engine has done."""
