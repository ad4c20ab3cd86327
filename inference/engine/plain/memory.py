"""What a model remembers of sequences: put side by side to go on together, and taken apart again.

Rows of different lengths are padded on the left, as transformers pads prompts: the latest token
of every row is in the last column.
"""

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812 (torch's own spelling)
from torch import Tensor
from transformers import DynamicCache, EncoderDecoderCache
from transformers.cache_utils import (
    DummyLayer,
    DynamicLayer,
    DynamicSlidingWindowLayer,
    LinearAttentionAndFullAttentionLayer,
    LinearAttentionAndSlidingWindowAttentionLayer,
    LinearAttentionLayer,
)

KEYS_AND_VALUES = (DynamicLayer, DynamicSlidingWindowLayer)
STATES = (LinearAttentionLayer,)
BOTH = (LinearAttentionAndFullAttentionLayer, LinearAttentionAndSlidingWindowAttentionLayer)

Merge = Callable[[Sequence[Any]], Any]
"""Makes one thing of the same kind of some."""


@dataclass(slots=True)
class Memory:
    """What a model remembers of some sequences, one row each.

    Attributes:
        held: the model's own: a cache of transformers, or a list of states.
        lengths: how many tokens of each row were read.
        sources: of an encoder-decoder, how many tokens of each row the encoder read.
    """

    held: Any
    lengths: list[int]
    sources: list[int] = field(default_factory=list)

    @property
    def width(self) -> int:
        """Columns of the padded rows."""
        return max(self.lengths)

    @property
    def source_width(self) -> int:
        """Columns of the padded rows that the encoder read."""
        return max(self.sources)


def join(memories: Sequence[Memory]) -> Memory:
    """Put the rows of memories below one another.

    Args:
        memories: at least one; they must not be used any more.

    Raises:
        NotImplementedError: a memory is of a kind whose rows are not known here.
    """
    if len(memories) == 1:
        return memories[0]
    lengths = [length for memory in memories for length in memory.lengths]
    sources = [source for memory in memories for source in memory.sources]
    return Memory(_merged([memory.held for memory in memories]), lengths, sources)


def pick(memory: Memory, rows: Sequence[int]) -> Memory:
    """Return some rows of a memory, without the columns that are padding for all of them.

    Raises:
        NotImplementedError: the memory is of a kind whose rows are not known here.
    """
    lengths = [memory.lengths[row] for row in rows]
    sources = [memory.sources[row] for row in rows] if memory.sources else []
    index = torch.tensor(rows, dtype=torch.long)
    widths = (max(lengths), max(sources, default=0))
    return Memory(_picked(memory.held, index, *widths), lengths, sources)


def has_columns(held: Any) -> bool:
    """Whether a memory grows by a column with every token, so that rows may be padded."""
    layers = getattr(held, "layers", ())
    return any(type(layer) in (*KEYS_AND_VALUES, *BOTH) for layer in layers)


def _merged(held: Sequence[Any]) -> Any:
    first = held[0]
    if isinstance(first, EncoderDecoderCache):
        return EncoderDecoderCache(
            _merged([one.self_attention_cache for one in held]),
            _merged([one.cross_attention_cache for one in held]),
        )
    if type(first) is DynamicCache:
        layers = zip(*(one.layers for one in held), strict=True)
        return _cache([_merged_layers(some) for some in layers])
    if _is_list_of_states(first):
        return [torch.cat(some) for some in zip(*held, strict=True)]
    raise NotImplementedError(f"a memory of the kind {type(first).__name__}")


def _picked(held: Any, index: Tensor, width: int, source_width: int) -> Any:
    if isinstance(held, EncoderDecoderCache):
        return EncoderDecoderCache(
            _picked(held.self_attention_cache, index, width, 0),
            _picked(held.cross_attention_cache, index, source_width, 0),
        )
    if type(held) is DynamicCache:
        return _cache([_picked_layer(layer, index, width) for layer in held.layers])
    if _is_list_of_states(held):
        return [state.index_select(0, index.to(state.device)) for state in held]
    raise NotImplementedError(f"a memory of the kind {type(held).__name__}")


def _cache(layers: list[Any]) -> DynamicCache:
    cache = DynamicCache()
    cache.layers = layers
    # Without it the cache would go on as if layers could still be added.
    cache.layer_class_to_replicate = None
    return cache


def _is_list_of_states(held: Any) -> bool:
    """Whether a memory is a list of tensors with a row for each sequence, as RWKV's."""
    return isinstance(held, (list, tuple)) and all(isinstance(one, Tensor) for one in held)


def _merged_layers(layers: Sequence[Any]) -> Any:
    """Put the rows of one layer's memories together."""
    merged = _copy_of(layers[0])
    if type(merged) in (*KEYS_AND_VALUES, *BOTH) and merged.is_initialized:
        merged.keys = _padded_together([layer.keys for layer in layers])
        merged.values = _padded_together([layer.values for layer in layers])
        if hasattr(merged, "cumulative_length"):
            merged.cumulative_length = max(layer.cumulative_length for layer in layers)
    if type(merged) in (*STATES, *BOTH):
        for name in ("conv_states", "recurrent_states"):
            each = [getattr(layer, name) for layer in layers]
            setattr(merged, name, {key: _cat_if_any(each, key) for key in each[0]})
    return merged


def _picked_layer(layer: Any, index: Tensor, width: int) -> Any:
    """Return some rows of one layer's memory, `width` columns at most."""
    picked = _copy_of(layer)
    if type(picked) in (*KEYS_AND_VALUES, *BOTH) and picked.is_initialized:
        rows = index.to(picked.keys.device)
        picked.keys = picked.keys.index_select(0, rows)[..., -width:, :]
        picked.values = picked.values.index_select(0, rows)[..., -width:, :]
        if hasattr(picked, "cumulative_length"):
            picked.cumulative_length = width
    if type(picked) in (*STATES, *BOTH):
        for name in ("conv_states", "recurrent_states"):
            states = getattr(layer, name)
            chosen = {
                key: None if state is None else state.index_select(0, index.to(state.device))
                for key, state in states.items()
            }
            setattr(picked, name, chosen)
    return picked


def _copy_of(layer: Any) -> Any:
    """Return another layer over the same tensors.

    Raises:
        NotImplementedError: what the layer holds is not known here.
    """
    if type(layer) not in (*KEYS_AND_VALUES, *STATES, *BOTH, DummyLayer):
        raise NotImplementedError(f"a memory with a {type(layer).__name__}")
    return copy.copy(layer)


def _padded_together(tensors: Sequence[Tensor]) -> Tensor:
    """Put tensors [B, H, T, D] below one another, padded with zeros on the left."""
    width = max(tensor.shape[-2] for tensor in tensors)
    return torch.cat([F.pad(tensor, (0, 0, width - tensor.shape[-2], 0)) for tensor in tensors])


def _cat_if_any(each: Sequence[dict[int, Any]], key: int) -> Tensor | None:
    return None if each[0][key] is None else torch.cat([states[key] for states in each])
