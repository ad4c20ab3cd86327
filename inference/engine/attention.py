"""Attention for a flat batch: many sequences in one row of tokens, each with its own past.

transformers looks the attention of a model up by name. Registering ours under `PACKED_ATTENTION`
lets any decoder run on the flat batch unchanged; the step's layout travels with the call as the
keyword `packed_step`. No mask is registered under the name, so transformers builds none.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812 (torch's own spelling)
from torch import Tensor, nn
from transformers import AttentionInterface

from inference.engine.kv_cache import KVCache, Span

PACKED_ATTENTION = "packed_cache"


@dataclass(frozen=True, slots=True)
class PackedStep:
    """What attention must know of one step.

    Attributes:
        cache: where keys and values are kept.
        slots: the cache slot of every column of the flat batch, long [N].
        spans: the sequences' parts of the flat batch, in order and without gaps.
    """

    cache: KVCache
    slots: Tensor
    spans: Sequence[Span]


def packed_attention(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    *,
    packed_step: PackedStep,
    scaling: float | None = None,
    sliding_window: int | None = None,
    softcap: float | None = None,
    **_: Any,
) -> tuple[Tensor, None]:
    """Store the step's keys and values, then let each sequence attend to its own past.

    Args:
        module: the attention layer; its `layer_idx` names the cache's layer.
        query: [1, heads, N, D].
        key: [1, key heads, N, D].
        value: [1, key heads, N, D of values].
        attention_mask: None; what transformers passes where no mask is registered.
        packed_step: the layout of the batch.
        scaling: factor on the scores; None means 1/sqrt(D).
        sliding_window: how many of the latest tokens a query sees, itself included.
        softcap: limit of the scores' size, as Gemma 2 has it.

    Returns:
        The mixed values, [1, N, heads, D of values], and no weights.

    Raises:
        NotImplementedError: the layer adds something to its scores that is not known here.
    """
    if attention_mask is not None or getattr(module, "sinks", None) is not None:
        raise NotImplementedError("attention with a bias or with sinks")
    layer = int(module.layer_idx)  # type: ignore[arg-type]  # a plain attribute of every layer
    packed_step.cache.write(
        layer, packed_step.slots, key[0].transpose(0, 1), value[0].transpose(0, 1)
    )
    mixed = query.new_empty(query.shape[2], query.shape[1], value.shape[3])  # [N, heads, D]
    for span in packed_step.spans:
        reach = None if sliding_window is None else sliding_window + span.count - 1
        keys, values = packed_step.cache.read(layer, span, last=reach)
        end = span.first + span.count
        mixed[span.first : end] = attend(
            query[0, :, span.first : end],
            keys,
            values,
            scaling=scaling,
            sliding_window=sliding_window,
            softcap=softcap,
        ).transpose(0, 1)
    return mixed.unsqueeze(0), None


def attend(
    queries: Tensor,
    keys: Tensor,
    values: Tensor,
    *,
    scaling: float | None = None,
    sliding_window: int | None = None,
    softcap: float | None = None,
) -> Tensor:
    """Let the last n tokens of one sequence attend causally to all T.

    Query heads that share a key head are stacked as further queries of it, so keys and values are
    never repeated in memory.

    Args:
        queries: [heads, n, D], of the sequence's last n tokens.
        keys: [key heads, T, D].
        values: [key heads, T, D of values].
        scaling: factor on the scores; None means 1/sqrt(D).
        sliding_window: how many of the latest tokens a query sees, itself included.
        softcap: limit of the scores' size.

    Returns:
        The mixed values, [heads, n, D of values].
    """
    heads, count, size = queries.shape
    groups = heads // keys.shape[0]
    grouped = queries.reshape(1, keys.shape[0], groups * count, size)
    mask = visible_keys(count, keys.shape[1], sliding_window, device=queries.device)
    if mask is not None and groups > 1:
        mask = mask.repeat(groups, 1)
    if softcap is None:
        mixed = F.scaled_dot_product_attention(
            grouped, keys.unsqueeze(0), values.unsqueeze(0), attn_mask=mask, scale=scaling
        )
    else:
        factor = size**-0.5 if scaling is None else scaling
        scores = torch.tanh(grouped @ keys.transpose(1, 2) * (factor / softcap)) * softcap
        if mask is not None:
            scores = scores.masked_fill(~mask, float("-inf"))
        mixed = scores.softmax(dim=-1, dtype=torch.float32).to(values.dtype) @ values
    return mixed.reshape(heads, count, -1)


def visible_keys(
    count: int, keys: int, sliding_window: int | None, *, device: torch.device
) -> Tensor | None:
    """Return which keys the last `count` tokens see, bool [count, keys]; None where all do."""
    is_windowed = sliding_window is not None and keys > sliding_window
    if count == 1 and not is_windowed:
        return None
    mask = torch.ones(count, keys, dtype=torch.bool, device=device).tril(keys - count)
    if sliding_window is not None and is_windowed:
        mask = mask.triu(keys - count - sliding_window + 1)
    return mask


AttentionInterface.register(PACKED_ATTENTION, packed_attention)
