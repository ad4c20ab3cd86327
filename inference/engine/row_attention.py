"""Attention over a cache in rows: neighbours as one batch, everybody else alone, nothing copied.

Measured on CPU: heads whose keys lie side by side are read up to twenty times faster than keys
whose heads do, torch's fused attention is slower than three plain products for a single query,
and one product for sixteen sequences saves the calls of fifteen.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F  # noqa: N812 (torch's own spelling)
from torch import Tensor

from inference.engine.attention import ScoreOptions
from inference.engine.flat_batch import FlatBatch, Run, Span
from inference.engine.kv_cache import KVCache

FEW_QUERIES = 16
"""Up to so many queries of a sequence, plain products are faster than the fused kernel."""

SHORT_KEYS = 512
"""Up to so many keys, the same holds in 16-bit precision for any number of queries."""

PADDING_TOKENS = 64
"""Keys that may be read in vain, for each sequence of a batch, to save it a call of its own."""


@dataclass(frozen=True, slots=True)
class Group:
    """Spans computed as one batch: as many queries each, in neighbouring rows, at the same place.

    Attributes:
        spans: in the order of their rows.
        runs: where their keys are: one list, with one run for each span.
    """

    spans: tuple[Span, ...]

    @property
    def columns(self) -> slice:
        """Their part of the flat batch."""
        last = self.spans[-1]
        return slice(self.spans[0].first, last.first + last.count)


class RowAttention:
    """Plans the attention of each step over one cache."""

    def __init__(self, cache: KVCache) -> None:
        self.cache = cache

    def plan(self, batch: FlatBatch) -> "RowStep":
        """Return the attention of a step."""
        return RowStep(self.cache, batch)


class RowStep:
    """The attention of one step; what layers have in common is computed once.

    Args:
        cache: where keys and values are.
        batch: the step.
    """

    def __init__(self, cache: KVCache, batch: FlatBatch) -> None:
        self._cache = cache
        self._batch = batch
        self._groups = list(group_spans(batch.spans))
        self._slots: dict[tuple[int, torch.device], Tensor] = {}
        self._biases: dict[tuple[object, ...], Tensor | None] = {}

    def attend(
        self, layer: int, query: Tensor, key: Tensor, value: Tensor, options: ScoreOptions
    ) -> Tensor:
        """See `StepAttention.attend`."""
        self._cache.write(layer, self._head_slots(key), key, value)
        keys, values = self._cache.layer(layer)
        parts = [self._attend(group, query, keys, values, options) for group in self._groups]
        return parts[0] if len(parts) == 1 else torch.cat(parts)

    def _attend(
        self, group: Group, query: Tensor, keys: Tensor, values: Tensor, options: ScoreOptions
    ) -> Tensor:
        """Let a group attend; returns its columns, [n, heads, D of values]."""
        first = group.spans[0]
        longest = max(span.keys for span in group.spans)
        window = options.sliding_window
        skipped = 0
        if window is not None:
            skipped = max(0, min(span.keys - span.count for span in group.spans) - window + 1)
        if len(first.runs) > 1:
            pieces = list(_slices(first.runs, skipped))
            keys = torch.cat([keys[at] for at in pieces], dim=1).unsqueeze(0)
            values = torch.cat([values[at] for at in pieces], dim=1).unsqueeze(0)
        else:
            (run,) = first.runs
            rows = slice(run.row, run.row + len(group.spans))
            places = slice(run.offset + skipped, run.offset + longest)
            keys, values = keys[rows, :, places], values[rows, :, places]
        count, key_heads, size = first.count, keys.shape[1], query.shape[2]
        queries = (
            query[group.columns]
            .view(len(group.spans), count, key_heads, -1, size)
            .permute(0, 2, 3, 1, 4)  # [B, key heads, query heads a key head, count, D]
            .reshape(len(group.spans) * key_heads, -1, size)
        )
        bias = self._bias(group, skipped, window, queries, key_heads)
        mixed = mix(queries, keys.flatten(0, 1), values.flatten(0, 1), bias, options)
        return (
            mixed.view(len(group.spans), key_heads, -1, count, values.shape[3])
            .permute(0, 3, 1, 2, 4)
            .reshape(len(group.spans) * count, -1, values.shape[3])
        )

    def _head_slots(self, key: Tensor) -> Tensor:
        """Places of the step's tokens in a layer of so many heads."""
        known = (key.shape[1], key.device)
        if known not in self._slots:
            slots = torch.tensor(self._batch.slots, device=key.device)
            self._slots[known] = self._cache.head_slots(slots, key.shape[1])
        return self._slots[known]

    def _bias(
        self, group: Group, skipped: int, window: int | None, queries: Tensor, key_heads: int
    ) -> Tensor | None:
        """Return 0 or -inf for every query and key of a group, as large as its scores.

        None where every query sees every key.
        """
        known = (group.spans[0].first, window, key_heads, queries.shape, queries.device)
        if known not in self._biases:
            visible = visible_keys(group.spans, skipped, window)  # [B, count, T]
            bias = None
            if visible is not None:
                each = torch.zeros(visible.shape, dtype=queries.dtype)
                each = each.masked_fill_(~visible, float("-inf")).to(queries.device)
                heads = queries.shape[1] // each.shape[1]
                bias = (
                    each[:, None, None]
                    .expand(-1, key_heads, heads, -1, -1)
                    .reshape(queries.shape[0], queries.shape[1], -1)
                )
            self._biases[known] = bias
        return self._biases[known]


def group_spans(spans: Sequence[Span]) -> Iterator[Group]:
    """Put neighbours together while little is read in vain; the order stays."""
    group: list[Span] = []
    for span in spans:
        if group and not _fits(group, span):
            yield Group(tuple(group))
            group = []
        group.append(span)
    if group:
        yield Group(tuple(group))


def _fits(group: list[Span], span: Span) -> bool:
    last = group[-1]
    if span.count != last.count or len(span.runs) > 1 or len(last.runs) > 1:
        return False
    if span.runs[0].row != last.runs[0].row + 1 or span.runs[0].offset != last.runs[0].offset:
        return False
    lengths = [member.keys for member in (*group, span)]
    padding = max(lengths) * len(lengths) - sum(lengths)
    return padding <= PADDING_TOKENS * len(lengths)


def _slices(runs: Sequence[Run], skipped: int) -> Iterator[tuple[int, slice, slice]]:
    """Return where the keys of several runs are, without the first `skipped`."""
    for run in runs:
        left_out = min(skipped, run.count)
        skipped -= left_out
        if left_out < run.count:
            yield run.row, slice(None), slice(run.offset + left_out, run.offset + run.count)


def visible_keys(spans: Sequence[Span], skipped: int, window: int | None) -> Tensor | None:
    """Return which keys the queries of some spans see, bool [B, count, T]; None where all do.

    Args:
        spans: B spans of equally many queries.
        skipped: keys at each sequence's beginning that are left out of T.
        window: how many of the latest keys a query sees, itself included.
    """
    count = spans[0].count
    longest = max(span.keys for span in spans)
    ends = torch.tensor([span.keys for span in spans])
    is_windowed = window is not None and longest - skipped > window
    if count == 1 and not is_windowed and int(ends.min()) == longest:
        return None
    own = ends[:, None] - count + torch.arange(count)  # [B, count]: place of each query
    places = torch.arange(skipped, longest)
    visible = places <= own[..., None]
    if window is not None and is_windowed:
        visible &= places > own[..., None] - window
    return visible


def mix(
    queries: Tensor, keys: Tensor, values: Tensor, bias: Tensor | None, options: ScoreOptions
) -> Tensor:
    """Weigh values by how well their keys match.

    Args:
        queries: [B, n, D].
        keys: [B, T, D].
        values: [B, T, D of values].
        bias: added to the scores, [B, n, T]; None adds nothing.
        options: scaling and cap of the scores.

    Returns:
        [B, n, D of values].
    """
    scaling = queries.shape[2] ** -0.5 if options.scaling is None else options.scaling
    is_short = queries.dtype != torch.float32 and keys.shape[1] <= SHORT_KEYS
    if options.softcap is None and queries.shape[1] > FEW_QUERIES and not is_short:
        return F.scaled_dot_product_attention(
            queries.unsqueeze(0),
            keys.unsqueeze(0),
            values.unsqueeze(0),
            attn_mask=None if bias is None else bias.unsqueeze(0),
            scale=scaling,
        ).squeeze(0)
    queries = queries * (scaling if options.softcap is None else scaling / options.softcap)
    if queries.dtype == torch.float32:
        # Keys come first: read along their rows, they come a third faster for a single query.
        scores = torch.bmm(keys, queries.transpose(1, 2)).transpose(1, 2)  # [B, n, T]
    else:
        # oneDNN copies a view of part of each row; left to itself, it copies it transposed.
        scores = torch.bmm(queries, keys.contiguous().transpose(1, 2))
    if options.softcap is not None:
        scores = scores.tanh_().mul_(options.softcap)
    if bias is not None:
        scores = scores.add_(bias)
    return torch.bmm(scores.softmax(dim=-1, dtype=torch.float32).to(values.dtype), values)
