"""Which runner fits a model: the flat batch where it computes the same, else the plain one."""

import logging
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor
from transformers import PreTrainedModel

from inference.engine.attention import PACKED_ATTENTION
from inference.engine.config import EngineConfig
from inference.engine.decoder.fusing import fuse, pack
from inference.engine.kv_cache import CacheShape, KVCache
from inference.engine.memory import cache_bytes
from inference.engine.model_runner import (
    Forward,
    ModelRunner,
    PackedRunner,
    PlainRunner,
    TransformersForward,
)
from inference.engine.parallel.agreement import smallest_of_all
from inference.engine.placement import input_device, is_shared, is_spread
from inference.engine.profiling import RunnerOver, step_peak_bytes
from inference.engine.row_attention import RowAttention
from inference.engine.sequence import Chunk, Sequence
from inference.exceptions import ModelLoadError

logger = logging.getLogger(__name__)

PROBE_TOKENS = 24
PROBE_SHAPE = CacheShape(rows=2, row_blocks=4, block_size=8)
PROBE_BLOCKS = ([5, 1, 3], [0, 2, 4])  # scattered, so that this way of reading is probed too
LARGEST_ERROR = 1e-3
LARGEST_ERROR_LOW_PRECISION = 5e-2


@dataclass(frozen=True, slots=True)
class ChosenRunner:
    """A runner, how the cache it works with is divided, and the window that leaves.

    Attributes:
        way: how it computes: fused, packed or plain.
        runner: the runner.
        cache: of a packed runner; None where the runner keeps its own memory.
        shape: how blocks are counted, with a cache or without.
        context_length: the window in tokens.
    """

    way: str
    runner: ModelRunner
    cache: KVCache | None
    shape: CacheShape
    context_length: int


def choose_runner(
    model: PreTrainedModel, config: EngineConfig, *, context_length: int
) -> ChosenRunner:
    """Return the fastest runner that gives the model's own scores.

    The model is asked once by itself and once through each runner, the fastest first: two
    sequences, two chunks each, scattered blocks. Where one fails or its scores differ, the next
    is tried. A model that runs in the flat batch belongs to the engine from then on.

    Raises:
        ModelLoadError: no way gives the model's own scores.
    """
    original = model.config._attn_implementation  # noqa: SLF001 (the only place it is told)
    expected = _own_scores(model)
    device = input_device(model)
    probe_cache = KVCache(PROBE_SHAPE)

    def packed(forward: Forward, cache: KVCache) -> PackedRunner:
        return PackedRunner(forward, RowAttention(cache), device)

    def sized(forward: Forward, way: str) -> ChosenRunner:
        runner_over = partial(packed, forward)
        shape = _shape(runner_over, config, probe_cache, context_length, agree=is_shared(model))
        cache = KVCache(shape)
        return _chosen(way, packed(forward, cache), cache, shape, config, context_length)

    fused = fuse(model)
    if fused is not None:
        problem = _problem_of(packed(fused, probe_cache), model, expected, is_batched=True)
        if problem is None:
            pack(model, fused)
            return sized(fused, "fused")
        logger.warning("%s is not computed the fastest way: %s", config.name, problem)
    model.set_attn_implementation(PACKED_ATTENTION)
    whole = TransformersForward(model, is_spread=is_spread(model))
    probe_cache = KVCache(PROBE_SHAPE)
    problem = _problem_of(packed(whole, probe_cache), model, expected, is_batched=True)
    if problem is None:
        return sized(whole, "packed")
    logger.warning("%s runs one sequence at a time: %s", config.name, problem)
    model.set_attn_implementation(original)
    plain_problem = _problem_of(PlainRunner(model), model, expected, is_batched=False)
    if plain_problem is not None:
        raise ModelLoadError(f"{config.name} cannot be served by this engine: {plain_problem}")
    shape = shape_for(config, config.kv_cache_tokens or 2**62, context_length)
    return _chosen("plain", PlainRunner(model), None, shape, config, context_length)


def _chosen(
    way: str,
    runner: ModelRunner,
    cache: KVCache | None,
    shape: CacheShape,
    config: EngineConfig,
    context_length: int,
) -> ChosenRunner:
    """Put the choice together; a cache smaller than one window narrows the window."""
    if shape.tokens < context_length:
        logger.warning(
            "the KV cache of %s has room for %d tokens, so its window is %d instead of %d",
            config.name, shape.tokens, shape.tokens, context_length,
        )  # fmt: skip
    return ChosenRunner(way, runner, cache, shape, min(shape.tokens, context_length))


def shape_for(config: EngineConfig, allowed_tokens: int, context_length: int) -> CacheShape:
    """Divide a cache of at most so many tokens into rows.

    A row takes a whole window where there is memory for one in every slot, else an even part, so
    that slots still begin rows of their own.
    """
    size = config.block_size
    window_blocks = -(-context_length // size)
    blocks = max(1, min(config.max_num_seqs * window_blocks, allowed_tokens // size))
    if config.kv_cache_tokens is not None:
        blocks = max(1, config.kv_cache_tokens // size)
    row_blocks = min(window_blocks, max(1, blocks // config.max_num_seqs))
    return CacheShape(rows=blocks // row_blocks, row_blocks=row_blocks, block_size=size)


def _shape(
    runner_over: RunnerOver,
    config: EngineConfig,
    probed: KVCache,
    context_length: int,
    *,
    agree: bool,
) -> CacheShape:
    """Size a cache by the memory there is, on the device and in the process that has least.

    Raises:
        ModelLoadError: there is no memory for the largest step, or none is left beside it.
    """
    if config.kv_cache_tokens is not None:
        return shape_for(config, config.kv_cache_tokens, context_length)
    rooms = []
    for device, size in probed.bytes_per_token_on().items():
        peak = step_peak_bytes(runner_over, device, config, context_length=context_length)
        rooms.append(cache_bytes(config, device, peak_bytes=peak) // size)
    tokens = smallest_of_all(min(rooms)) if agree else min(rooms)
    if tokens < config.block_size:
        raise ModelLoadError(
            f"{config.name} leaves no memory for a KV cache; lower the largest step"
            f" ({config.max_batched_tokens} tokens) or spread the model"
        )
    return shape_for(config, tokens, context_length)


def _probe_tokens(model: PreTrainedModel) -> tuple[list[int], list[int]]:
    """Two prompts of ordinary tokens."""
    vocabulary: int = model.config.get_text_config().vocab_size
    first = [(7 + 13 * step) % vocabulary for step in range(PROBE_TOKENS)]
    return first, first[::-1]


@torch.inference_mode()
def _own_scores(model: PreTrainedModel) -> Tensor:
    """Scores after each probe, [2, V], by the model's own attention, one prompt at a time."""
    device = input_device(model)
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
        Sequence(
            f"probe {number}",
            tokens,
            prompt_tokens=len(tokens),
            max_tokens=1,
            blocks=list(blocks),
            runs=[(block, 1) for block in blocks],
        )
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
