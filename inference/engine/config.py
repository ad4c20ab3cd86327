"""The knobs of an engine."""

from dataclasses import dataclass
from typing import Literal, get_args

Speculation = Literal["off", "prompt_lookup", "draft"]
"""Where guesses at the next tokens come from: nowhere, the text itself, or a smaller model."""

COUNTS = (
    "max_num_seqs",
    "max_waiting",
    "max_batched_tokens",
    "max_prefilling",
    "block_size",
    "draft_tokens",
)
"""Knobs of at least 1."""


@dataclass(frozen=True, slots=True)
class EngineConfig:
    """How one engine runs one model.

    Attributes:
        name: what the model is called in errors and logs.
        context_length: the window in tokens, prompt and answer together; None takes what the
            model's configuration states.
        max_num_seqs: sequences that run at the same time (slots).
        max_waiting: sequences that may wait for a slot; more are refused.
        max_waiting_s: seconds a sequence may wait for its first slot; None lets it wait for ever.
        ageing_s: seconds after which a passed-over priority gains one level (see `WaitingLine`).
        max_batched_tokens: tokens of one step, decode and prefill together. A smaller number
            keeps running answers smooth while a long prompt comes in.
        max_prefilling: prompts that are read side by side where a step cannot finish them all, so
            that short ones need not wait for a long one.
        block_size: tokens in one block of the KV cache.
        kv_cache_tokens: size of the KV cache; None takes what `max_num_seqs` full windows need,
            or what memory allows where that is less.
        kv_cache_bytes: memory the KV cache may take; None leaves it to `kv_memory_share`.
        kv_memory_share: part of the free memory that the KV cache may take, in (0, 1); None takes
            0.9 on an accelerator and 0.3 on CPU.
        prefix_cache: keep the blocks of finished sequences for prompts that begin the same way.
        speculation: where guesses at the next tokens come from; answers stay the same, or of the
            same distribution.
        draft_tokens: most tokens guessed ahead of one sequence; each sequence learns how many
            pay.
        threads: intra-op threads of torch on CPU; None leaves torch's choice. Models below about
            a hundred million parameters run best with 1.
    """

    name: str = "model"
    context_length: int | None = None
    max_num_seqs: int = 16
    max_waiting: int = 256
    max_waiting_s: float | None = None
    ageing_s: float = 10.0
    max_batched_tokens: int = 256
    max_prefilling: int = 4
    block_size: int = 16
    kv_cache_tokens: int | None = None
    kv_cache_bytes: int | None = None
    kv_memory_share: float | None = None
    prefix_cache: bool = True
    speculation: Speculation = "off"
    draft_tokens: int = 4
    threads: int | None = None

    def __post_init__(self) -> None:
        """Refuse numbers no engine can run with.

        Raises:
            ValueError: a count is below 1, a time not above 0, a share outside (0, 1), or a
                choice not among those known.
        """
        for name in COUNTS:
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, not {getattr(self, name)}")
        for name in ("max_waiting_s", "ageing_s"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise ValueError(f"{name} must be above 0, not {value}")
        for name in ("context_length", "kv_cache_tokens", "kv_cache_bytes", "threads"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ValueError(f"{name} must be at least 1 or None, not {value}")
        if self.kv_memory_share is not None and not 0 < self.kv_memory_share < 1:
            raise ValueError(f"kv_memory_share must lie in (0, 1), not {self.kv_memory_share}")
        if self.speculation not in get_args(Speculation):
            known = ", ".join(get_args(Speculation))
            raise ValueError(f"speculation must be one of {known}, not {self.speculation!r}")
        if self.max_batched_tokens < self.max_num_seqs:
            raise ValueError(
                f"max_batched_tokens ({self.max_batched_tokens}) must reach max_num_seqs "
                f"({self.max_num_seqs}), or not every running sequence gets its token"
            )
