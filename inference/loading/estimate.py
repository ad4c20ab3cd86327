"""How much memory a model takes, counted from the headers of its files before a weight is read."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from transformers import PreTrainedConfig

from inference.loading.checkpoint_files import StoredTensor

OVERHEAD_SHARE = 0.05
"""Beside weights and cache, as a share of them: buffers, activations, what the allocator rounds up.
"""

LEAST_WINDOW_TOKENS = 2048
"""A shorter cache than the model's window narrows the window; this much is worth starting for."""

FOUR_BIT_BYTES = 0.5 + 1 / 64 + 4 / (64 * 256)
"""Of a weight: half a byte, a byte a block of 64, four for 256 of those (double quantization).
"""

UNTOUCHED = ("embed", "lm_head", "wte", "wpe", "shared", "output_layer", "embd", "visual", "vision")
"""Parts of names whose matrices bitsandbytes leaves in the model's precision, or mostly."""

LAYER_COUNTS = ("num_hidden_layers", "n_layer", "num_layers")
HEAD_COUNTS = ("num_key_value_heads", "num_attention_heads", "n_head", "num_heads")


@dataclass(frozen=True, slots=True)
class Need:
    """What a model takes, in bytes.

    Attributes:
        weights: as they will be kept.
        cache_per_token: keys and values of one token; 0 where the configuration does not tell.
        tokens: of the KV cache that is counted.
    """

    weights: int
    cache_per_token: int
    tokens: int

    @property
    def cache(self) -> int:
        """Keys and values of one window."""
        return self.cache_per_token * self.tokens

    @property
    def total(self) -> int:
        """All of it."""
        return int((self.weights + self.cache) * (1 + OVERHEAD_SHARE))


def need_of(
    tensors: Sequence[StoredTensor],
    config: PreTrainedConfig,
    *,
    dtype: torch.dtype,
    bits: int = 16,
    window: int,
    wanted_window: int | None = None,
    packed_bits: int | None = None,
) -> Need:
    """Return what a model takes.

    Args:
        tensors: of its files.
        config: the model's.
        dtype: precision of the weights that are kept as ordinary numbers, and of the cache.
        bits: 8 or 4 where bitsandbytes stores the matrices of its layers; more leaves them.
        window: the model's, in tokens.
        wanted_window: in tokens, where somebody asked for one; else the model's counts up to
            2,048 tokens.
        packed_bits: of stored whole numbers that become ordinary ones as they are loaded; None
            where they stay as they are.
    """
    growth = 1.0 if packed_bits is None else 8 * dtype.itemsize / packed_bits
    weights = sum(
        _kept_bytes(tensor, dtype, bits) if tensor.is_dense else tensor.stored_bytes * growth
        for tensor in tensors
    )
    tokens = wanted_window or min(window, LEAST_WINDOW_TOKENS)
    return Need(int(weights), cache_bytes_per_token(config, dtype), tokens)


def cache_bytes_per_token(config: PreTrainedConfig, dtype: torch.dtype) -> int:
    """Return what keys and values of a token take over all layers; 0 where it is not told."""
    text: Any = config.get_text_config()
    layers, heads = _first(text, LAYER_COUNTS), _first(text, HEAD_COUNTS)
    width = getattr(text, "head_dim", None)
    if width is None:
        all_heads = _first(text, HEAD_COUNTS[1:]) or 1
        width = (getattr(text, "hidden_size", 0) or 0) // all_heads
    return 2 * layers * heads * int(width) * dtype.itemsize


def _kept_bytes(tensor: StoredTensor, dtype: torch.dtype, bits: int) -> float:
    """What one tensor of ordinary numbers takes once it is loaded."""
    if bits > 8 or len(tensor.shape) != 2 or any(part in tensor.name for part in UNTOUCHED):
        return tensor.numbers * dtype.itemsize
    if bits == 8:
        return tensor.numbers + 4 * tensor.shape[0]  # a scale a row
    return tensor.numbers * FOUR_BIT_BYTES


def _first(config: Any, names: Sequence[str]) -> int:
    """Return the first whole number found under one of the names; 0 where there is none."""
    found = (getattr(config, name, None) for name in names)
    return next((value for value in found if isinstance(value, int)), 0)
