"""What a host needs of an engine; `inference.engine.llm_engine.LLMEngine` is the real one."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from inference.generation import Failure, FinishReason, Pooling, SamplingParams, Usage
from inference.messages import Message

if TYPE_CHECKING:  # torch comes in only when a model is loaded
    from inference.engine.grammar import TokenConstraint
    from inference.engine.logprobs import TokenLogprobs
    from inference.engine.tokens import Tokens


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

    @property
    def logprobs(self) -> "TokenLogprobs | None":
        """How likely the new token was, where that was asked for."""

    @property
    def prompt_logprobs(self) -> "tuple[TokenLogprobs | None, ...] | None":
        """How likely the prompt's tokens were, on the first output, where that was asked for."""

    @property
    def embedding(self) -> tuple[float, ...] | None:
        """The vector of a text that was to be pooled."""


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

    @property
    def context_length(self) -> int:
        """The model's window in tokens."""

    @property
    def tokens(self) -> "Tokens":
        """The model's tokenizer."""

    def submit(
        self,
        request_id: str,
        *,
        messages: Sequence[Message] | None = None,
        prompt: str | None = None,
        prompt_token_ids: Sequence[int] | None = None,
        params: SamplingParams | None = None,
        constraint: "TokenConstraint | None" = None,
        adapter: str = "",
        tools: Sequence[Mapping[str, Any]] = (),
        template_options: Mapping[str, Any] | None = None,
    ) -> None:
        """Let a conversation be answered; an assistant's last message is continued.

        Args:
            request_id: names the answer.
            messages: the conversation. One of this and the next two is given.
            prompt: a raw text to continue.
            prompt_token_ids: its tokens.
            params: how to answer.
            constraint: what the answer must follow.
            adapter: the adapter that answers; empty is the bare model.
            tools: functions that may be called in a conversation.
            template_options: further names for its chat template.

        Raises:
            InferenceError: it cannot be.
        """

    def submit_embedding(
        self,
        request_id: str,
        *,
        text: str | None = None,
        token_ids: Sequence[int] | None = None,
        pooling: Pooling | None = None,
        normalize: bool = True,
        truncate: bool = False,
        adapter: str = "",
    ) -> None:
        """Let a text, or its tokens, become a vector.

        Raises:
            InferenceError: it cannot.
        """

    def compile(
        self, grammar: Mapping[str, Any], *, said: str = "", adapter: str = ""
    ) -> "TokenConstraint":
        """Return what holds an answer, of which something may have been said, to a grammar.

        Raises:
            InferenceError: the grammar cannot be followed.
        """

    def prompt_tokens(self, messages: Sequence[Message], *, adapter: str = "") -> list[int]:
        """Return the tokens that the model reads for a conversation.

        Raises:
            InferenceError: it cannot be written.
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
