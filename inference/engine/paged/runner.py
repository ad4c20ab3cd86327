"""The runner over pages: one copy to the device, then a forward pass or the graph of one."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from inference.engine.flat_batch import lay_out
from inference.engine.isolation import ForwardResult, run_isolating
from inference.engine.model_runner import Forward, OnChunks, ignore_chunks
from inference.engine.paged.backend import PagedBackend, PagedStep
from inference.engine.paged.cache import PagedKVCache
from inference.engine.paged.graphs import DecodeGraphs
from inference.engine.paged.inputs import StepInputs, shape_of
from inference.engine.paged.staging import Staging
from inference.engine.placed_images import PlacedImages, place_images
from inference.engine.sequence import Chunk
from inference.engine.sequence import Sequence as RunningSequence

MakeGraphs = Callable[[Callable[[StepInputs], Tensor], Staging], DecodeGraphs]
"""Makes the graphs of a forward pass."""


class PagedRunner:
    """Computes all chunks in one flat batch over a cache in pages.

    Args:
        forward: the decoder.
        backend: computes attention.
        cache: the pages.
        device: where all of it is.
        make_graphs: makes the graphs of decode steps; None computes all steps kernel by kernel.
            A graph was captured from the bare model, so steps with an adapter are none for graphs.

    Attributes:
        on_chunks: hears of the chunks of every forward pass.
    """

    has_prefix_reuse = True

    def __init__(
        self,
        forward: Forward,
        backend: PagedBackend,
        cache: PagedKVCache,
        device: torch.device,
        *,
        make_graphs: MakeGraphs | None = None,
    ) -> None:
        self._forward = forward
        self._backend = backend
        self._cache = cache
        self._device = device
        self._staging = Staging(cache, device)
        self.on_chunks: OnChunks = ignore_chunks
        self._graphs = make_graphs and make_graphs(self._compute, self._staging)

    def run(self, chunks: Sequence[Chunk]) -> ForwardResult:
        """Compute the chunks together, decoding ones first; in parts where that fails."""
        return run_isolating(self.compute, sorted(chunks, key=lambda chunk: chunk.count))

    def forget(self, sequence: RunningSequence) -> None:
        """Nothing to drop: the blocks are the memory."""

    def copy_blocks(self, pairs: Sequence[tuple[int, int]]) -> None:
        """See `ModelRunner`."""
        self._cache.copy_blocks(pairs)

    def clear_blocks(self, blocks: Sequence[int]) -> None:
        """See `ModelRunner`."""
        self._cache.clear_blocks(blocks)

    @torch.inference_mode()
    def compute(self, chunks: Sequence[Chunk]) -> Tensor:
        """Compute the chunks in one forward pass; return the scores of the scored, [S, V]."""
        self.on_chunks(chunks)
        batch = lay_out(chunks, self._cache.shape, has_runs=False)
        shape = shape_of(batch, self._cache.shape.block_size)
        images = place_images(chunks, self._device)
        is_bare = not any(chunk.sequence.adapter for chunk in chunks)
        if self._graphs is not None and is_bare:
            # A graph knows tokens, and no images.
            logits = None if images else self._graphs.replay(batch, shape)
            if logits is not None:
                return logits
        inputs = self._staging.send(batch, shape)
        if not any(chunk.sequence.pool for chunk in chunks):
            return self._compute(inputs, images)[: len(batch.scored)]
        logits, states = self._forward.with_states(*self._arguments(inputs), images)
        for chunk, span in zip(chunks, batch.spans, strict=True):
            if chunk.sequence.pool is not None:
                chunk.sequence.pool.take(chunk.start, states[span.first : span.first + span.count])
        return logits[: len(batch.scored)]

    def _compute(self, inputs: StepInputs, images: PlacedImages | None = None) -> Tensor:
        return self._forward(*self._arguments(inputs), images)

    def _arguments(self, inputs: StepInputs) -> tuple[Tensor, Tensor, Tensor, PagedStep]:
        step = PagedStep(self._cache, self._backend, inputs)
        return inputs.tokens, inputs.turns, inputs.scored, step
