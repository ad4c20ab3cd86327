"""How a KV cache may be laid out and read on a device: in rows, or in pages by some kernel."""

import logging
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Protocol

import torch
from transformers import PreTrainedModel

from inference.engine.config import EngineConfig
from inference.engine.kv_cache import CacheShape, KVCache
from inference.engine.model_runner import Forward, ModelRunner, PackedRunner
from inference.engine.paged.backend import PagedBackend
from inference.engine.paged.backends import backends_for
from inference.engine.paged.cache import PagedKVCache
from inference.engine.paged.graphs import CudaRecorder, DecodeGraphs, Record, graph_sizes
from inference.engine.paged.runner import MakeGraphs, PagedRunner
from inference.engine.placement import input_device, is_spread
from inference.engine.row_attention import RowAttention

logger = logging.getLogger(__name__)


ROW_BLOCK_SIZE = 64
"""Of 16 to 256 tokens in a block, 64 attended fastest on CPU: fewer make more calls, more read more
of what is not there yet."""


class Layout(Protocol):
    """A layout of the cache, and what computes attention over it.

    Attributes:
        name: for logs.
        is_in_rows: whether a cache has a row for every slot.
        block_size: tokens in a block; None takes what the configuration says.
    """

    name: str
    is_in_rows: bool
    block_size: int | None

    def trial(self, forward: Forward, shape: CacheShape) -> tuple[ModelRunner, KVCache]:
        """Make a cache and a runner that computes step by step."""

    def final(
        self, forward: Forward, shape: CacheShape, config: EngineConfig, *, context_length: int
    ) -> tuple[ModelRunner, KVCache]:
        """Make a cache and the runner that will serve."""


class RowLayout:
    """The portable one.

    Args:
        device: where tokens go in.
    """

    name = "rows"
    is_in_rows = True
    block_size: int | None = ROW_BLOCK_SIZE

    def __init__(self, device: torch.device) -> None:
        self._device = device

    def trial(self, forward: Forward, shape: CacheShape) -> tuple[ModelRunner, KVCache]:
        """See `Layout`."""
        cache = KVCache(shape)
        return PackedRunner(forward, RowAttention(cache), self._device), cache

    def final(
        self,
        forward: Forward,
        shape: CacheShape,
        config: EngineConfig,  # noqa: ARG002 (nothing more to be made ready)
        *,
        context_length: int,  # noqa: ARG002
    ) -> tuple[ModelRunner, KVCache]:
        """See `Layout`."""
        return self.trial(forward, shape)


class PagedLayout:
    """Pages, read by a kernel.

    Args:
        backend: the kernel.
        device: where all of the model is.
        record: captures decode steps; None computes them kernel by kernel.
    """

    is_in_rows = False

    def __init__(
        self, backend: PagedBackend, device: torch.device, *, record: Record | None = None
    ) -> None:
        self.name = backend.name
        self.block_size: int | None = backend.block_size
        self._backend = backend
        self._device = device
        self._record = record if backend.suits_graphs else None

    def trial(self, forward: Forward, shape: CacheShape) -> tuple[ModelRunner, KVCache]:
        """See `Layout`."""
        return self._over(forward, shape, None)

    def final(
        self, forward: Forward, shape: CacheShape, config: EngineConfig, *, context_length: int
    ) -> tuple[ModelRunner, KVCache]:
        """See `Layout`."""
        if self._record is None:
            return self.trial(forward, shape)
        make_graphs = partial(
            DecodeGraphs,
            record=self._record,
            sizes=graph_sizes(config.max_num_seqs),
            pages=-(-min(context_length, shape.tokens) // shape.block_size),
            block_size=shape.block_size,
            is_narrowed=self._backend.reads_all_pages,
        )
        return self._over(forward, shape, make_graphs)

    def _over(
        self, forward: Forward, shape: CacheShape, make_graphs: MakeGraphs | None
    ) -> tuple[ModelRunner, KVCache]:
        cache = PagedKVCache(shape)
        runner = PagedRunner(forward, self._backend, cache, self._device, make_graphs=make_graphs)
        return runner, cache


def layouts_for(model: PreTrainedModel, config: EngineConfig) -> Iterator[Layout]:
    """Return the layouts that may serve a model, the best first; rows are always the last."""
    device = input_device(model)
    if device.type == "cuda" and not is_spread(model):
        record = CudaRecorder(device) if config.cuda_graphs else None
        for backend in backends_for(device, model.dtype, config):
            yield PagedLayout(backend, device, record=record)
    yield RowLayout(device)


def with_block_size(config: EngineConfig, layout: Layout) -> EngineConfig:
    """Return a configuration that states a size of blocks: its own, else the layout's."""
    return replace(config, block_size=config.block_size or layout.block_size or config.block_tokens)
