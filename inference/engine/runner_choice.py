"""Which runner fits a model: the flat batch where it computes the same, else the plain one."""

import logging
import os
from dataclasses import dataclass

import torch
from torch import Tensor
from transformers import PreTrainedModel

from inference.engine.attention import PACKED_ATTENTION
from inference.engine.config import EngineConfig
from inference.engine.kv_cache import KVCache
from inference.engine.model_runner import ModelRunner, PackedRunner, PlainRunner
from inference.engine.sequence import Chunk, Sequence
from inference.exceptions import ModelLoadError

logger = logging.getLogger(__name__)

PROBE_TOKENS = 24
PROBE_BLOCKS = ([5, 1, 3], [0, 2, 4])  # scattered, so that this way of reading is probed too
PROBE_BLOCK_SIZE = 8
LARGEST_ERROR = 1e-3
LARGEST_ERROR_LOW_PRECISION = 5e-2


@dataclass(frozen=True, slots=True)
class ChosenRunner:
    """A runner, how many cache blocks it works with, and the window they leave."""

    runner: ModelRunner
    block_count: int
    context_length: int


def choose_runner(
    model: PreTrainedModel, config: EngineConfig, *, context_length: int
) -> ChosenRunner:
    """Return the fastest runner that gives the model's own scores.

    The model is asked once by itself and once through each runner: two sequences, two chunks
    each, scattered blocks. Where the flat batch fails or its scores differ, the model keeps its
    own attention and runs plainly. A model that runs in the flat batch keeps our attention: from
    then on it belongs to the engine.

    Raises:
        ModelLoadError: neither way gives the model's own scores.
    """
    wanted_tokens = config.kv_cache_tokens or config.max_num_seqs * context_length
    original = model.config._attn_implementation  # noqa: SLF001 (the only place it is told)
    expected = _own_scores(model)
    model.set_attn_implementation(PACKED_ATTENTION)
    probe_cache = KVCache(block_count=6, block_size=PROBE_BLOCK_SIZE)
    problem = _problem_of(PackedRunner(model, probe_cache), model, expected, is_batched=True)
    if problem is None:
        tokens = min(wanted_tokens, _allowed_tokens(model, config, probe_cache))
        cache = KVCache(
            block_count=max(1, tokens // config.block_size), block_size=config.block_size
        )
        return _chosen(PackedRunner(model, cache), cache.block_count, config, context_length)
    logger.warning("%s runs one sequence at a time: %s", config.name, problem)
    model.set_attn_implementation(original)
    plain_problem = _problem_of(PlainRunner(model), model, expected, is_batched=False)
    if plain_problem is not None:
        raise ModelLoadError(f"{config.name} cannot be served by this engine: {plain_problem}")
    block_count = max(1, wanted_tokens // config.block_size)
    return _chosen(PlainRunner(model), block_count, config, context_length)


def _chosen(
    runner: ModelRunner, block_count: int, config: EngineConfig, context_length: int
) -> ChosenRunner:
    """Put the choice together; a cache smaller than one window narrows the window."""
    room = block_count * config.block_size
    if room < context_length:
        logger.warning(
            "the KV cache of %s has room for %d tokens, so its window is %d instead of %d",
            config.name, room, room, context_length,
        )  # fmt: skip
    return ChosenRunner(runner, block_count, min(room, context_length))


def _probe_tokens(model: PreTrainedModel) -> tuple[list[int], list[int]]:
    """Two prompts of ordinary tokens."""
    vocabulary: int = model.config.get_text_config().vocab_size
    first = [(7 + 13 * step) % vocabulary for step in range(PROBE_TOKENS)]
    return first, first[::-1]


@torch.inference_mode()
def _own_scores(model: PreTrainedModel) -> Tensor:
    """Scores after each probe, [2, V], by the model's own attention, one prompt at a time."""
    device = next(model.parameters()).device
    rows = [
        model(input_ids=torch.tensor([tokens], device=device), use_cache=False).logits[0, -1]
        for tokens in _probe_tokens(model)
    ]
    return torch.stack(rows)


def _problem_of(
    runner: ModelRunner, model: PreTrainedModel, expected: Tensor, *, is_batched: bool
) -> str | None:
    """Say why a runner does not fit the model; None where it gives the expected scores."""
    sequences = [
        Sequence(f"probe {number}", tokens, len(tokens), 1, blocks=list(blocks), is_scattered=True)
        for number, (tokens, blocks) in enumerate(
            zip(_probe_tokens(model), PROBE_BLOCKS, strict=True)
        )
    ]
    middle = PROBE_TOKENS * 2 // 3
    groups = [sequences] if is_batched else [[sequence] for sequence in sequences]
    rows = []
    try:
        for group in groups:
            runner.compute([Chunk(sequence, 0, middle, scored=0) for sequence in group])
            rest = PROBE_TOKENS - middle
            chunks = [Chunk(sequence, middle, rest, scored=1) for sequence in group]
            rows.append(runner.compute(chunks))
    except Exception as error:  # any refusal means: not this way
        return f"{type(error).__name__}: {error}"
    found = torch.cat(rows).float()
    difference = float((found - expected.float()).norm() / expected.float().norm())
    is_exact = expected.dtype == torch.float32 and not _is_quantized(model)
    if difference <= (LARGEST_ERROR if is_exact else LARGEST_ERROR_LOW_PRECISION):
        return None
    return f"its scores would differ by {difference:.1e}"


def _is_quantized(model: PreTrainedModel) -> bool:
    """Whether the weights are 8- or 4-bit, whose kernels round differently by batch."""
    return getattr(model, "hf_quantizer", None) is not None


def _allowed_tokens(model: PreTrainedModel, config: EngineConfig, probed: KVCache) -> int:
    """Tokens that memory has room for; a size the configuration states is taken at its word."""
    if config.kv_cache_tokens is not None:
        return config.kv_cache_tokens
    allowed_bytes = _memory_bytes(next(model.parameters()).device) * config.kv_memory_share
    return int(allowed_bytes / probed.bytes_per_token)


def _memory_bytes(device: torch.device) -> int:
    """Free memory of an accelerator, all memory of the machine for CPU."""
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        return int(free)
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
