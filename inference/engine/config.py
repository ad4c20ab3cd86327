"""The knobs of an engine."""

from dataclasses import dataclass
from typing import Literal, get_args

Speculation = Literal["off", "prompt_lookup", "draft"]
"""Where guesses at the next tokens come from: nowhere, the text itself, or a smaller model."""

Weights = Literal["as_loaded", "int8", "int4"]
"""How weights are kept on CPU: exactly as they were loaded, or in fewer bits."""

Attention = Literal["auto", "flash3", "flash2", "varlen", "gathered", "flex", "rows"]
"""What computes attention on CUDA: the best there is, one of the kernels, or rows as on CPU."""

DEFAULT_BLOCK_SIZE = 16
"""Tokens in a block where no kernel wishes for another number."""

COUNTS = (
    "max_num_seqs",
    "max_waiting",
    "max_batched_tokens",
    "max_prefilling",
    "draft_tokens",
)
"""Knobs of at least 1."""

OPTIONAL_COUNTS = ("context_length", "block_size", "kv_cache_tokens", "kv_cache_bytes", "threads")
"""Knobs of at least 1, or None."""

CHOICES = {"speculation": Speculation, "attention": Attention, "weights": Weights}
"""Knobs with a few values."""


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
        block_size: tokens in one block of the KV cache; None takes what suits what computes
            attention: 64 on CPU, 256 for flash-attn 2.
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
        attention: what computes attention on CUDA; elsewhere it means nothing. `auto` never takes
            `flex`, which compiles its kernels while requests may be waiting.
        cuda_graphs: capture decode steps on CUDA, so that starting them costs next to nothing.
        weights: how a CPU keeps weights; fewer bits need a Llama-shaped model that was loaded in
            full.
        pack_weights: lay weights out in the processor's own order on CPU, where that pays.
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
    block_size: int | None = None
    kv_cache_tokens: int | None = None
    kv_cache_bytes: int | None = None
    kv_memory_share: float | None = None
    prefix_cache: bool = True
    speculation: Speculation = "off"
    draft_tokens: int = 4
    attention: Attention = "auto"
    cuda_graphs: bool = True
    weights: Weights = "as_loaded"
    pack_weights: bool = True
    threads: int | None = None

    def __post_init__(self) -> None:
        """Refuse numbers no engine can run with.

        Raises:
            ValueError: a count is below 1, a time not above 0, a share outside (0, 1), or a
                choice not among those known.
        """
        self._check_numbers()
        for name, choices in CHOICES.items():
            if getattr(self, name) not in get_args(choices):
                known = ", ".join(get_args(choices))
                raise ValueError(f"{name} must be one of {known}, not {getattr(self, name)!r}")
        if self.max_batched_tokens < self.max_num_seqs:
            raise ValueError(
                f"max_batched_tokens ({self.max_batched_tokens}) must reach max_num_seqs "
                f"({self.max_num_seqs}), or not every running sequence gets its token"
            )

    @property
    def block_tokens(self) -> int:
        """Tokens in a block, also where nobody stated them."""
        return self.block_size or DEFAULT_BLOCK_SIZE

    def _check_numbers(self) -> None:
        for name in COUNTS:
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, not {getattr(self, name)}")
        for name in ("max_waiting_s", "ageing_s"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise ValueError(f"{name} must be above 0, not {value}")
        for name in OPTIONAL_COUNTS:
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ValueError(f"{name} must be at least 1 or None, not {value}")
        if self.kv_memory_share is not None and not 0 < self.kv_memory_share < 1:
            raise ValueError(f"kv_memory_share must lie in (0, 1), not {self.kv_memory_share}")
