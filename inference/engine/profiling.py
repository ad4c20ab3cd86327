"""The largest step an engine may run, tried once to learn what memory it takes."""

import sys
from collections.abc import Callable

import torch

from inference.engine.config import EngineConfig
from inference.engine.kv_cache import CacheShape, KVCache
from inference.engine.memory import profile_peak_bytes
from inference.engine.model_runner import ModelRunner
from inference.engine.sequence import Chunk, Sequence

RunnerOver = Callable[[CacheShape], tuple[ModelRunner, KVCache]]
"""Makes a cache and a runner over it."""


def largest_step(config: EngineConfig, *, context_length: int) -> tuple[list[Chunk], CacheShape]:
    """Return the chunks of a full step in every slot, and a cache that just holds them.

    `max_batched_tokens` are spread over `max_num_seqs` sequences, the first ones as long as the
    window allows; every sequence has its last token scored.
    """
    left = config.max_batched_tokens - config.max_num_seqs
    chunks = []
    first = 0
    for number in range(config.max_num_seqs):
        count = 1 + min(left, context_length - 1)
        left -= count - 1
        blocks = -(-count // config.block_tokens)
        sequence = Sequence(
            f"dummy {number}",
            [0] * count,
            prompt_tokens=count,
            max_tokens=1,
            blocks=list(range(first, first + blocks)),
            runs=[(first, blocks)],
        )
        chunks.append(Chunk(sequence, 0, count, scored=1))
        first += blocks
    return chunks, CacheShape(rows=1, row_blocks=first, block_size=config.block_tokens)


def step_peak_bytes(
    runner_over: RunnerOver, device: torch.device, config: EngineConfig, *, context_length: int
) -> int:
    """Return the bytes that the largest step takes on a device beside the KV cache.

    Where it does not fit at all, that is more than any device has.

    Args:
        runner_over: makes the runner that is going to be used, and a cache of the step's own.
        device: where memory is counted; see `profile_peak_bytes` for where it is not.
        config: how large a step may be.
        context_length: the window.
    """
    chunks, shape = largest_step(config, context_length=context_length)
    runner, cache = runner_over(shape)
    in_order = sorted(chunks, key=lambda chunk: chunk.count)  # as the runners have it

    def run() -> None:
        logits = runner.compute(in_order)
        # Sampling works on a few copies in full precision.
        logits.float().softmax(dim=-1).cumsum(dim=-1)

    try:
        peak = profile_peak_bytes(run, device)
    except torch.OutOfMemoryError:
        return sys.maxsize
    return max(0, peak - cache.bytes_per_token_on().get(device, 0) * shape.tokens)
