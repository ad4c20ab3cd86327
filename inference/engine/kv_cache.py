"""The KV cache: keys and values of every layer, one row a token, addressed by slot."""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Span:
    """Where one chunk of the step lies, in the flat batch and in the cache.

    Attributes:
        first: its first column in the flat batch.
        count: its tokens (queries).
        keys: tokens its last query sees; the chunk's own are the last of them.
        start_slot: slot of the sequence's first token.
        blocks: the sequence's blocks, long [n]; None where they are neighbours, so that all its
            slots follow the first.
    """

    first: int
    count: int
    keys: int
    start_slot: int
    blocks: Tensor | None


class KVCache:
    """Keys and values of all layers.

    A layer's memory is taken when it first writes, as only then its head count and sizes are
    known (they differ between keys and values in some models). Slot `b * block_size + i` is row i
    of block b. Rows are token-major, [slots, heads, D], so that neighbouring blocks are one view.
    """

    def __init__(self, *, block_count: int, block_size: int) -> None:
        self.block_count = block_count
        self.block_size = block_size
        self._layers: dict[int, tuple[Tensor, Tensor]] = {}

    @property
    def bytes_per_token(self) -> int:
        """Memory of one token in all layers that have written so far."""
        return sum(
            tensor[0].numel() * tensor.element_size()
            for pair in self._layers.values()
            for tensor in pair
        )

    def write(self, layer: int, slots: Tensor, keys: Tensor, values: Tensor) -> None:
        """Store new tokens.

        Args:
            layer: which layer writes.
            slots: where, long [N].
            keys: [N, heads, D].
            values: [N, heads, D of values].
        """
        if layer not in self._layers:
            self._layers[layer] = (self._room_for(keys), self._room_for(values))
        key_rows, value_rows = self._layers[layer]
        key_rows.index_copy_(0, slots, keys)
        value_rows.index_copy_(0, slots, values)

    def read(self, layer: int, span: Span, *, last: int | None = None) -> tuple[Tensor, Tensor]:
        """Return keys and values of one sequence, [heads, T, D] each.

        Neighbouring blocks are a view; scattered ones are copied together.

        Args:
            layer: which layer reads.
            span: whose tokens.
            last: only so many of the latest tokens; None returns all `span.keys`.
        """
        skipped = 0 if last is None else max(0, span.keys - last)
        key_rows, value_rows = self._layers[layer]
        return self._gather(key_rows, span, skipped), self._gather(value_rows, span, skipped)

    def _gather(self, rows: Tensor, span: Span, skipped: int) -> Tensor:
        """Rows [skipped, span.keys) of one sequence, heads first."""
        if span.blocks is None:
            return rows[span.start_slot + skipped : span.start_slot + span.keys].transpose(0, 1)
        by_block = rows.view(self.block_count, self.block_size, *rows.shape[1:])
        together = by_block.index_select(0, span.blocks).flatten(0, 1)
        return together[skipped : span.keys].transpose(0, 1)

    def _room_for(self, rows: Tensor) -> Tensor:
        # Uninitialised on purpose: no row is read before it was written, and an untouched page of
        # host memory costs nothing.
        return torch.empty(
            (self.block_count * self.block_size, *rows.shape[1:]),
            dtype=rows.dtype,
            device=rows.device,
        )
