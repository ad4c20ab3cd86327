"""The way of a step's inputs to the device: one pinned buffer, one copy nobody waits for."""

import torch
from torch import Tensor

from inference.engine.flat_batch import FlatBatch
from inference.engine.paged.cache import PagedKVCache
from inference.engine.paged.inputs import StepInputs, StepShape, cut, fill


class Staging:
    """Sends steps to a device.

    Args:
        cache: names the scratch block and the size of blocks.
        device: where steps are computed.
    """

    def __init__(self, cache: PagedKVCache, device: torch.device) -> None:
        self._cache = cache
        self._device = device
        self._is_cuda = device.type == "cuda"
        self._host = self._room(1024)
        # The device may still be reading the last step when the next one is written.
        self._sent = torch.cuda.Event() if self._is_cuda else None

    def send(self, batch: FlatBatch, shape: StepShape, memory: Tensor | None = None) -> StepInputs:
        """Send a batch, filled up to a shape.

        Args:
            batch: the step.
            shape: at least as large as the batch.
            memory: of the device, long [`shape.words`]; None takes new memory.
        """
        if self._sent is not None:
            self._sent.synchronize()
        if len(self._host) < shape.words:
            self._host = self._room(2 * shape.words)
        fill(
            cut(self._host, shape),
            batch,
            block_size=self._cache.shape.block_size,
            scratch_block=self._cache.scratch_block,
        )
        if memory is None:
            memory = self.room(shape)
        memory.copy_(self._host[: shape.words], non_blocking=True)
        if self._sent is not None:
            self._sent.record(torch.cuda.current_stream(self._device))
        return cut(memory, shape)

    def room(self, shape: StepShape) -> Tensor:
        """Return memory of the device for the inputs of a step, long [`shape.words`]."""
        return torch.empty(shape.words, dtype=torch.long, device=self._device)

    def _room(self, words: int) -> Tensor:
        return torch.zeros(words, dtype=torch.long, pin_memory=self._is_cuda)
