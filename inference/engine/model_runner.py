"""The model runner: one forward pass for the chunks of a step."""

from collections.abc import Callable, Sequence
from typing import Protocol

import torch
from torch import Tensor
from transformers import PreTrainedModel

from inference.engine.attention import StepAttention
from inference.engine.flat_batch import lay_out
from inference.engine.isolation import ForwardResult, run_isolating
from inference.engine.placed_images import PlacedImages, deepened, place_images
from inference.engine.row_attention import RowAttention
from inference.engine.sequence import Chunk
from inference.engine.sequence import Sequence as RunningSequence
from inference.engine.states import watched_states

OnChunks = Callable[[Sequence[Chunk]], None]
"""Hears of the chunks of a forward pass, in the order they lie in, before it begins."""


def ignore_chunks(chunks: Sequence[Chunk]) -> None:
    """Stand in where nobody wants to know."""


class ModelRunner(Protocol):
    """Runs a model over chunks and keeps what it must remember of their sequences."""

    @property
    def has_prefix_reuse(self) -> bool:
        """Whether a sequence may begin with blocks that another one computed."""

    def compute(self, chunks: Sequence[Chunk]) -> Tensor:
        """Compute chunks and return the scores of their `scored` tokens, [S, V]."""

    def run(self, chunks: Sequence[Chunk]) -> ForwardResult:
        """Compute chunks; one that fails does not touch the others."""

    def forget(self, sequence: RunningSequence) -> None:
        """Drop what was kept for a sequence that lost its blocks."""

    def copy_blocks(self, pairs: Sequence[tuple[int, int]]) -> None:
        """Copy what blocks hold, (source, target) each; where prefixes are reused only."""

    def clear_blocks(self, blocks: Sequence[int]) -> None:
        """Write zeros over blocks that may hold what is no number."""


class Forward(Protocol):
    """One forward pass of a decoder over a flat batch."""

    def __call__(
        self,
        tokens: Tensor,
        positions: Tensor,
        scored: Tensor,
        step: StepAttention,
        images: PlacedImages | None = None,
    ) -> Tensor:
        """Compute all columns and return next-token scores of some.

        Args:
            tokens: long [N].
            positions: that turn each token's query and key, long [N]; see `FlatBatch.turns`.
            scored: columns whose scores are wanted, long [S].
            step: the attention of the step.
            images: what some columns show instead of their tokens.

        Returns:
            Scores, [S, V].
        """

    def with_states(
        self,
        tokens: Tensor,
        positions: Tensor,
        scored: Tensor,
        step: StepAttention,
        images: PlacedImages | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Return the scores, [S, V], and every column's state after the last norm, [N, W]."""


class TransformersForward:
    """The model's own forward pass, its attention being `PACKED_ATTENTION`.

    Args:
        model: a transformers decoder.
        is_spread: whether its layers live on several devices.
    """

    def __init__(self, model: PreTrainedModel, *, is_spread: bool = False) -> None:
        self._model = model
        self._is_spread = is_spread

    def __call__(
        self,
        tokens: Tensor,
        positions: Tensor,
        scored: Tensor,
        step: StepAttention,
        images: PlacedImages | None = None,
    ) -> Tensor:
        """See `Forward`."""
        with deepened(self._model, images):
            logits: Tensor = self._model(
                **model_inputs(self._model, tokens, positions, images),
                use_cache=False,
                # A spread model takes tensors to its first device and has its head on the last; an
                # array stays on the host, from where it indexes anywhere.
                logits_to_keep=scored.cpu().numpy() if self._is_spread else scored,
                packed_step=step,
            ).logits
        return logits[0]

    def with_states(
        self,
        tokens: Tensor,
        positions: Tensor,
        scored: Tensor,
        step: StepAttention,
        images: PlacedImages | None = None,
    ) -> tuple[Tensor, Tensor]:
        """See `Forward.with_states`."""
        with watched_states(self._model) as states:
            logits = self(tokens, positions, scored, step, images)
        return logits, states[0][0]


def model_inputs(
    model: PreTrainedModel, tokens: Tensor, positions: Tensor, images: PlacedImages | None
) -> dict[str, Tensor]:
    """Return the words of a forward pass: tokens, or their states with the images among them."""
    if images is None:
        return {"input_ids": tokens.unsqueeze(0), "position_ids": positions.unsqueeze(0)}
    states: Tensor = model.get_input_embeddings()(tokens)
    return {
        "inputs_embeds": images.over(states).unsqueeze(0),
        "position_ids": positions.unsqueeze(0)
        if images.positions is None
        else images.positions.unsqueeze(1),
    }


class PackedRunner:
    """Computes all chunks in one flat batch over a cache they share.

    Args:
        forward: the decoder.
        attention: plans each step's attention; it holds the cache.
        device: where tokens go in.

    Attributes:
        on_chunks: hears of the chunks of every forward pass.
    """

    has_prefix_reuse = True

    def __init__(self, forward: Forward, attention: RowAttention, device: torch.device) -> None:
        self._forward = forward
        self._attention = attention
        self._device = device
        self.on_chunks: OnChunks = ignore_chunks

    def run(self, chunks: Sequence[Chunk]) -> ForwardResult:
        """Compute the chunks together; where that fails, in parts, to find the one at fault.

        Neighbours in the cache come side by side, as attention computes them as one.
        """
        return run_isolating(self.compute, sorted(chunks, key=place_in_cache))

    def forget(self, sequence: RunningSequence) -> None:
        """Nothing to drop: the blocks are the memory."""

    def copy_blocks(self, pairs: Sequence[tuple[int, int]]) -> None:
        """See `ModelRunner`."""
        self._attention.cache.copy_blocks(pairs)

    def clear_blocks(self, blocks: Sequence[int]) -> None:
        """See `ModelRunner`."""
        self._attention.cache.clear_blocks(blocks)

    @torch.inference_mode()
    def compute(self, chunks: Sequence[Chunk]) -> Tensor:
        """Compute the chunks in one forward pass; return the scores of the scored, [S, V]."""
        self.on_chunks(chunks)
        batch = lay_out(chunks, self._attention.cache.shape)
        arguments = (
            self._tensor(batch.tokens),
            self._tensor(batch.turns),
            # Where nothing is scored one column is computed all the same and thrown away.
            self._tensor(batch.scored or [0]),
            self._attention.plan(batch),
            place_images(chunks, self._device),
        )
        if not any(chunk.sequence.pool for chunk in chunks):
            return self._forward(*arguments)[: len(batch.scored)]
        logits, states = self._forward.with_states(*arguments)
        for chunk, span in zip(chunks, batch.spans, strict=True):
            if chunk.sequence.pool is not None:
                chunk.sequence.pool.take(chunk.start, states[span.first : span.first + span.count])
        return logits[: len(batch.scored)]

    def _tensor(self, values: list[int]) -> Tensor:
        return torch.tensor(values, dtype=torch.long, device=self._device)


def place_in_cache(chunk: Chunk) -> tuple[int, int]:
    """Order chunks by size, decoding ones first, then by where their sequences begin."""
    return chunk.count, chunk.sequence.blocks[0]
