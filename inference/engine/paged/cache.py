"""The KV cache in pages: the tokens of a block side by side, as paged kernels read them."""

import torch
from torch import Tensor

from inference.engine.kv_cache import CacheShape, KVCache


class PagedKVCache(KVCache):
    """Keys and values of all layers, [blocks + 1, block size, heads, D] each.

    The last block is nobody's: rows that only fill a graph's batch write there.

    Args:
        shape: how the cache is divided; rows mean nothing here, so it has one.

    Attributes:
        scratch_block: number of the block that is nobody's.
    """

    def __init__(self, shape: CacheShape) -> None:
        super().__init__(shape)
        self.scratch_block = shape.block_count

    def bytes_per_token_on(self) -> dict[torch.device, int]:
        """Return the memory of one token on each device that layers have written on so far."""
        whole: dict[torch.device, int] = {}
        for memory in self._memories():
            size = memory.shape[2] * memory.shape[3] * memory.element_size()
            whole[memory.device] = whole.get(memory.device, 0) + size
        return whole

    def head_slots(self, slots: Tensor, heads: int) -> Tensor:  # noqa: ARG002 (see below)
        """Return the slots: the heads of a token lie side by side and are written as one."""
        return slots

    def write(self, layer: int, slots: Tensor, keys: Tensor, values: Tensor) -> None:
        """Store new tokens.

        Args:
            layer: which layer writes.
            slots: place of each token, long [N].
            keys: [N, heads, D].
            values: [N, heads, D of values].
        """
        if layer not in self._layers:
            self._layers[layer] = (self._room_for(keys), self._room_for(values))
        for memory, new in zip(self._layers[layer], (keys, values), strict=True):
            memory.view(-1, *memory.shape[2:]).index_copy_(0, slots, new)

    def layer(self, number: int) -> tuple[Tensor, Tensor]:
        """Return a layer's keys and values, [blocks + 1, block size, heads, D] each."""
        return self._layers[number]

    def _block(self, memory: Tensor, block: int) -> Tensor:
        """Return a view of one block, [block size, heads, D]."""
        return memory[block]

    def _room_for(self, rows: Tensor) -> Tensor:
        # Zeros: what a mask hides must be a number all the same.
        shape = (self.shape.block_count + 1, self.shape.block_size, rows.shape[1], rows.shape[2])
        return torch.zeros(shape, dtype=rows.dtype, device=rows.device)
