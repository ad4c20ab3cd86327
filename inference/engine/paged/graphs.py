"""Decode steps as CUDA graphs: hundreds of kernels started by one call.

A graph computes a batch of fixed size from inputs at a fixed place. Steps are filled up to the
next size there is a graph for; what fills them reads and writes the scratch block.
"""

import logging
from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from inference.engine.flat_batch import FlatBatch
from inference.engine.memory import empty_device_cache, is_out_of_memory
from inference.engine.paged.inputs import StepInputs, StepShape, cut, decoding_shape
from inference.engine.paged.staging import Staging

logger = logging.getLogger(__name__)

FEW = 8
"""Up to so many sequences every power of two has its graph, above every multiple."""

Compute = Callable[[StepInputs], Tensor]
"""The forward pass: scores [S, V] from inputs on the device."""


class Recording(Protocol):
    """What was captured."""

    def replay(self) -> None:
        """Compute again, from and to the same places."""


Record = Callable[[Callable[[], Tensor]], tuple[Recording, Tensor]]
"""Captures a computation; returns it and the place of its result."""


@dataclass(frozen=True, slots=True)
class DecodeGraph:
    """One captured decode step: its sizes, where its inputs go, and where its scores come."""

    shape: StepShape
    memory: Tensor
    recording: Recording
    logits: Tensor


class DecodeGraphs:
    """Computes decode steps by replaying what was captured.

    Args:
        compute: the forward pass.
        staging: sends inputs to the device.
        record: captures; `CudaRecorder` on CUDA.
        sizes: batch sizes to capture, ascending; larger steps are not for graphs.
        pages: width of the widest page table.
        block_size: tokens in a block.
        is_narrowed: also capture narrower page tables, in powers of two, for kernels that read
            every page of the table.
    """

    def __init__(
        self,
        compute: Compute,
        staging: Staging,
        record: Record,
        *,
        sizes: list[int],
        pages: int,
        block_size: int,
        is_narrowed: bool,
    ) -> None:
        self._compute = compute
        self._staging = staging
        self._record = record
        self._sizes = sizes
        self._pages = pages
        self._block_size = block_size
        self._is_narrowed = is_narrowed
        self._graphs: dict[tuple[int, int], DecodeGraph] = {}
        self._is_broken = False

    def replay(self, batch: FlatBatch, shape: StepShape) -> Tensor | None:
        """Compute a step, [S, V]; None where it is none for graphs."""
        if self._is_broken or not shape.is_decoding or len(batch.scored) < shape.sequences:
            return None
        place = bisect_left(self._sizes, shape.sequences)
        pages = self._width(shape.pages)
        if place == len(self._sizes) or pages is None:
            return None
        graph = self._graph(self._sizes[place], pages)
        if graph is None:
            return None
        self._staging.send(batch, graph.shape, graph.memory)
        graph.recording.replay()
        # Graphs share memory: the next one may write where this one's scores are.
        return graph.logits[: shape.sequences].clone()

    def _width(self, pages: int) -> int | None:
        """Width of the table for a step of so many pages; None where it is too long."""
        if pages > self._pages:
            return None
        if not self._is_narrowed:
            return self._pages
        return min(self._pages, 1 << (pages - 1).bit_length())

    def _graph(self, size: int, pages: int) -> DecodeGraph | None:
        """Return a graph; those of a width are captured when the first of them is asked for."""
        if (size, pages) not in self._graphs:
            try:
                for other in reversed(self._sizes):  # the largest makes the memory others reuse
                    self._graphs[other, pages] = self._capture(other, pages)
            except Exception as error:  # whatever a kernel does not allow while it is captured
                if is_out_of_memory(error):
                    self._graphs.clear()
                    empty_device_cache()
                self._is_broken = True
                logger.warning("decode steps run without graphs", exc_info=error)
                return None
        return self._graphs[size, pages]

    def _capture(self, size: int, pages: int) -> DecodeGraph:
        shape = decoding_shape(size, pages, self._block_size)
        memory = self._staging.room(shape)
        # An empty batch: every sequence is one that only fills it.
        self._staging.send(FlatBatch([], [], [], [], [], []), shape, memory)
        recording, logits = self._record(lambda: self._compute(cut(memory, shape)))
        return DecodeGraph(shape, memory, recording, logits)


class CudaRecorder:
    """Captures CUDA graphs that share one pool of memory.

    Args:
        device: where they compute.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._pool = torch.cuda.graph_pool_handle()

    def __call__(self, compute: Callable[[], Tensor]) -> tuple[Recording, Tensor]:
        """See `Record`; what prepares itself at its first call does so before."""
        with torch.cuda.device(self._device):
            return self._capture(compute)

    def _capture(self, compute: Callable[[], Tensor]) -> tuple[Recording, Tensor]:
        aside = torch.cuda.Stream()
        aside.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(aside):
            compute()
        torch.cuda.current_stream().wait_stream(aside)
        graph = torch.cuda.CUDAGraph()
        # Other threads of a worker use the device too.
        with torch.cuda.graph(graph, pool=self._pool, capture_error_mode="thread_local"):
            logits = compute()
        return graph, logits


def graph_sizes(largest: int) -> list[int]:
    """Return the batch sizes that graphs are captured for: 1, 2, 4, 8, 16, 24 and so on."""
    small = [size for size in (1, 2, 4) if size < largest]
    return [*small, *range(FEW, largest, FEW), largest]
