"""The KV cache in rows: what attention reads together lies together.

A sequence lives in a row, block after block. In memory the first blocks of all rows come first,
then the second ones, and so on: sequences that began neighbouring rows are read as one piece,
from end to end, which on CPU is up to twice as fast as piece by piece.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class CacheShape:
    """How a cache is divided.

    Block b lies in row `b // row_blocks`; slot s is place `s % block_size` of block
    `s // block_size`.

    Attributes:
        rows: how many rows.
        row_blocks: blocks in each.
        block_size: tokens in a block.
    """

    rows: int
    row_blocks: int
    block_size: int

    @property
    def block_count(self) -> int:
        """Blocks in all."""
        return self.rows * self.row_blocks

    @property
    def row_tokens(self) -> int:
        """Tokens in a row."""
        return self.row_blocks * self.block_size

    @property
    def tokens(self) -> int:
        """Tokens in all."""
        return self.rows * self.row_tokens


class KVCache:
    """Keys and values of all layers, [row blocks, rows, heads, block size, D] each.

    A layer's memory is taken when it first writes, as only then its head count and sizes are
    known (they differ between keys and values in some models).
    """

    def __init__(self, shape: CacheShape) -> None:
        self.shape = shape
        self._layers: dict[int, tuple[Tensor, Tensor]] = {}

    @property
    def bytes_per_token(self) -> int:
        """Memory of one token in all layers that have written so far."""
        return sum(self.bytes_per_token_on().values())

    def bytes_per_token_on(self) -> dict[torch.device, int]:
        """Return the memory of one token on each device that layers have written on so far."""
        whole: dict[torch.device, int] = {}
        for memory in self._memories():
            size = memory.numel() * memory.element_size()
            whole[memory.device] = whole.get(memory.device, 0) + size
        return {device: size // self.shape.tokens for device, size in whole.items()}

    def layer(self, number: int) -> tuple[Tensor, Tensor]:
        """Return a layer's keys and values, [row blocks, rows, heads, block size, D] each."""
        return self._layers[number]

    def write(self, layer: int, slots: Tensor, keys: Tensor, values: Tensor) -> None:
        """Store new tokens.

        Args:
            layer: which layer writes.
            slots: places in a head's memory as `head_slots` tells them, long [N * heads].
            keys: [N, heads, D].
            values: [N, heads, D of values].
        """
        if layer not in self._layers:
            self._layers[layer] = (self._room_for(keys), self._room_for(values))
        for memory, new in zip(self._layers[layer], (keys, values), strict=True):
            memory.view(-1, memory.shape[-1]).index_copy_(0, slots, new.flatten(0, 1))

    def head_slots(self, slots: Tensor, heads: int) -> Tensor:
        """Turn slots, long [N], into places of their heads, long [N * heads]."""
        shape = self.shape
        rows = slots // shape.row_tokens
        numbers = slots % shape.row_tokens // shape.block_size
        head = torch.arange(heads, device=slots.device)
        by_head = ((numbers * shape.rows + rows) * heads).unsqueeze(1) + head  # [N, heads]
        return (by_head * shape.block_size + (slots % shape.block_size).unsqueeze(1)).flatten()

    def copy_blocks(self, pairs: Iterable[tuple[int, int]]) -> None:
        """Copy blocks, (source, target) each, in all layers."""
        for source, target in pairs:
            for memory in self._memories():
                self._block(memory, target).copy_(self._block(memory, source))

    def clear_blocks(self, blocks: Iterable[int]) -> None:
        """Write zeros over blocks that may hold NaN, which would outlive any mask."""
        for block in blocks:
            for memory in self._memories():
                self._block(memory, block).zero_()

    def _memories(self) -> list[Tensor]:
        return [memory for pair in self._layers.values() for memory in pair]

    def _block(self, memory: Tensor, block: int) -> Tensor:
        """Return a view of one block, [heads, block_size, D]."""
        row, number = divmod(block, self.shape.row_blocks)
        return memory[number, row]

    def _room_for(self, rows: Tensor) -> Tensor:
        # Zeros, not whatever memory held: a masked key has weight 0, and 0 times NaN is NaN. On
        # CPU the system gives zeros when a page is first touched, so an unused one costs nothing.
        shape = self.shape
        sizes = (shape.row_blocks, shape.rows, rows.shape[1], shape.block_size, rows.shape[2])
        return torch.zeros(sizes, dtype=rows.dtype, device=rows.device)
