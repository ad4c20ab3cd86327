"""Which runner fits a model: the flat batch where it computes the same, else the plain one."""

import logging
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import partial

from torch import Tensor
from transformers import PreTrainedModel

from inference.engine.attention import PACKED_ATTENTION, attention_of_decoder
from inference.engine.cache_layouts import Layout, layouts_for, with_block_size
from inference.engine.config import EngineConfig
from inference.engine.decoder.fusing import fuse
from inference.engine.kv_cache import CacheShape, KVCache
from inference.engine.memory import cache_bytes
from inference.engine.memory_kinds import sees_all_keys
from inference.engine.model_runner import Forward, ModelRunner, TransformersForward
from inference.engine.parallel.agreement import smallest_of_all
from inference.engine.placement import is_shared, is_spread
from inference.engine.plain.choice import choose_plain_runner
from inference.engine.probing import PROBE_SHAPE, own_scores, problem_of
from inference.engine.profiling import step_peak_bytes
from inference.engine.weight_choice import check_weights, lay_out_fused, lay_out_linears
from inference.exceptions import ModelLoadError

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ChosenRunner:
    """A runner, how the cache it works with is divided, and the window that leaves.

    Attributes:
        way: how it computes: fused, packed or plain, and by which kernel it attends.
        runner: the runner.
        cache: of a packed runner; None where the runner keeps its own memory.
        shape: how blocks are counted, with a cache or without.
        context_length: the window in tokens.
        forward: the forward pass of a packed runner; None where the runner has its own.
        is_whole: whether a prompt must be computed in one piece.
        answer_window: tokens of an answer where it has a window of its own, as in an
            encoder-decoder; None where it takes what the prompt leaves.
    """

    way: str
    runner: ModelRunner
    cache: KVCache | None
    shape: CacheShape
    context_length: int
    forward: Forward | None = None
    is_whole: bool = False
    answer_window: int | None = None


def choose_runner(
    model: PreTrainedModel, config: EngineConfig, *, context_length: int
) -> ChosenRunner:
    """Return the fastest runner that gives the model's own scores.

    The model is asked once by itself and once through each runner, the fastest first: two
    sequences, two chunks each, scattered blocks. Where one fails or its scores differ, the next
    is tried. A model that runs in the flat batch belongs to the engine from then on.

    Raises:
        ModelLoadError: no way gives the model's own scores, or its weights cannot be kept as asked.
    """
    original = model.config._attn_implementation  # noqa: SLF001 (the only place it is told)
    expected = own_scores(model)
    layouts = list(layouts_for(model, config))
    check_weights(model, config, is_fused=True)
    fused = fuse(model)
    if fused is not None:
        way = _way_over(layouts, fused, model, expected, config)
        if way is not None:
            lay_out_fused(model, fused, config, runner=way.runner, expected=expected)
            return _sized("fused", way, model, config, context_length)
    check_weights(model, config, is_fused=False)
    way = None
    if sees_all_keys(model):
        model.set_attn_implementation(attention_of_decoder(model, PACKED_ATTENTION))
        whole = TransformersForward(model, is_spread=is_spread(model))
        way = _way_over(layouts, whole, model, expected, config)
    if way is not None:
        lay_out_linears(model, config, runner=way.runner, expected=expected)
        return _sized("packed", way, model, config, context_length)
    model.set_attn_implementation(original)
    plain = choose_plain_runner(model, config)
    logger.warning("%s is run by itself, without the flat batch: %s", config.name, plain.way)
    shape = shape_for(config, config.kv_cache_tokens or 2**62, context_length)
    chosen = _chosen(plain.way, plain.runner, None, shape, config, context_length)
    return replace(chosen, is_whole=plain.is_whole)


@dataclass(frozen=True, slots=True)
class Way:
    """A forward pass over a layout of the cache that gave the model's own scores.

    Attributes:
        forward: the forward pass.
        layout: of the cache.
        probed: the small cache it was tried with.
        runner: what tried it.
    """

    forward: Forward
    layout: Layout
    probed: KVCache
    runner: ModelRunner


def _way_over(
    layouts: Iterable[Layout],
    forward: Forward,
    model: PreTrainedModel,
    expected: Tensor,
    config: EngineConfig,
) -> Way | None:
    """Return a forward pass over the first layout that gives the expected scores, if any does."""
    for layout in layouts:
        shape = PROBE_SHAPE
        if not layout.is_in_rows:
            size = with_block_size(config, layout).block_tokens
            shape = CacheShape(rows=1, row_blocks=PROBE_SHAPE.block_count, block_size=size)
        runner, probed = layout.trial(forward, shape)
        problem = problem_of(runner, model, expected, is_batched=True)
        if problem is None and not probed.bytes_per_token:
            problem = "its layers keep nothing in the cache"
        if problem is None:
            return Way(forward, layout, probed, runner)
        logger.warning(
            "%s is not computed by %s over %s: %s",
            config.name, type(forward).__name__, layout.name, problem,
        )  # fmt: skip
    return None


def _sized(
    name: str, way: Way, model: PreTrainedModel, config: EngineConfig, context_length: int
) -> ChosenRunner:
    """Make the runner that will serve, over a cache of the size there is memory for."""
    layout = way.layout
    config = with_block_size(config, layout)
    shape = _shape(way, config, context_length, agree=is_shared(model))
    runner, cache = layout.final(way.forward, shape, config, context_length=context_length)
    if not layout.is_in_rows:
        name = f"{name} {layout.name}"
    chosen = _chosen(name, runner, cache, shape, config, context_length)
    return replace(chosen, forward=way.forward)


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


def shape_for(
    config: EngineConfig, allowed_tokens: int, context_length: int, *, in_rows: bool = True
) -> CacheShape:
    """Divide a cache of at most so many tokens into rows, or make it one.

    A row takes a whole window where there is memory for one in every slot, else an even part, so
    that slots still begin rows of their own.
    """
    size = config.block_tokens
    window_blocks = -(-context_length // size)
    blocks = max(1, min(config.max_num_seqs * window_blocks, allowed_tokens // size))
    if config.kv_cache_tokens is not None:
        blocks = max(1, config.kv_cache_tokens // size)
    if not in_rows:
        return CacheShape(rows=1, row_blocks=blocks, block_size=size)
    row_blocks = min(window_blocks, max(1, blocks // config.max_num_seqs))
    return CacheShape(rows=blocks // row_blocks, row_blocks=row_blocks, block_size=size)


def _shape(way: Way, config: EngineConfig, context_length: int, *, agree: bool) -> CacheShape:
    """Size a cache by the memory there is, on the device and in the process that has least.

    Raises:
        ModelLoadError: there is no memory for the largest step, or none is left beside it.
    """
    in_rows = way.layout.is_in_rows
    if config.kv_cache_tokens is not None:
        return shape_for(config, config.kv_cache_tokens, context_length, in_rows=in_rows)
    runner_over = partial(way.layout.trial, way.forward)
    rooms = []
    for device, size in way.probed.bytes_per_token_on().items():
        peak = step_peak_bytes(runner_over, device, config, context_length=context_length)
        rooms.append(cache_bytes(config, device, peak_bytes=peak) // size)
    tokens = smallest_of_all(min(rooms)) if agree else min(rooms)
    if tokens < config.block_tokens:
        raise ModelLoadError(
            f"{config.name} leaves no memory for a KV cache; lower the largest step"
            f" ({config.max_batched_tokens} tokens) or spread the model"
        )
    return shape_for(config, tokens, context_length, in_rows=in_rows)
