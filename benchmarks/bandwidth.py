"""How fast memory can be read, and how much of it one decode step must read."""

import time
from collections.abc import Callable
from typing import Any

import torch

BUFFER_BYTES = 2**29  # far beyond any cache
RUNS = 7
ITEM_BYTES = {"float32": 4, "bfloat16": 2}


def read_bandwidth(device: str, threads: int) -> float:
    """Return the best rate at which a large buffer is read here, in bytes a second.

    On CPU by a sum over it, on CUDA by a copy, whose reads and writes both count.
    """
    torch.set_num_threads(threads)
    buffer = torch.ones(BUFFER_BYTES // 8, dtype=torch.int64, device=device)
    if device == "cpu":
        return BUFFER_BYTES / _best_of(lambda: buffer.sum(), device)
    target = torch.empty_like(buffer)
    return 2 * BUFFER_BYTES / _best_of(lambda: target.copy_(buffer), device)


def _best_of(work: Callable[[], Any], device: str) -> float:
    """Seconds of the fastest run; the device has finished when the clock is read."""
    times = []
    for _ in range(RUNS):
        start = time.perf_counter()
        work()
        if device == "cuda":
            torch.cuda.synchronize()
        times.append(time.perf_counter() - start)
    return min(times)


def bytes_per_step(config: Any, dtype: str, *, streams: int, context_tokens: float) -> float:
    """Return what one decode step cannot avoid reading: the weights once, all keys and values.

    Args:
        config: a Llama's or Qwen2's.
        dtype: precision of weights and cache.
        streams: sequences in the step.
        context_tokens: their mean length.
    """
    head_size = config.hidden_size // config.num_attention_heads
    attention = 2 * config.hidden_size * (config.num_attention_heads * head_size)
    attention += 2 * config.hidden_size * (config.num_key_value_heads * head_size)
    mlp = 3 * config.hidden_size * config.intermediate_size
    layers = config.num_hidden_layers * (attention + mlp)
    # Of the embeddings a step reads a row a stream, of the output layer everything.
    weights = layers + config.vocab_size * config.hidden_size
    row = 2 * config.num_hidden_layers * config.num_key_value_heads * head_size
    total: float = (weights + streams * context_tokens * row) * ITEM_BYTES[dtype]
    return total
