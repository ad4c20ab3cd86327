"""What kernels must know of a step, in one stretch of memory that travels with one copy."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile

import numpy as np
import torch
from torch import Tensor

from inference.engine.flat_batch import FlatBatch


@dataclass(frozen=True, slots=True)
class StepShape:
    """Sizes of a step; kernels may be chosen and graphs captured by them.

    Attributes:
        columns: tokens computed, N.
        sequences: B.
        lone: how many sequences, from the first, compute one token each.
        pages: width of the page table, P.
        scored: columns whose scores are wanted, S.
        longest_query: most tokens of one sequence.
        longest_key: most keys that one sequence sees.
    """

    columns: int
    sequences: int
    lone: int
    pages: int
    scored: int
    longest_query: int
    longest_key: int

    @property
    def is_decoding(self) -> bool:
        """Whether every sequence computes one token."""
        return self.lone == self.sequences

    @property
    def words(self) -> int:
        """Size of the memory that holds the inputs of such a step, in 64-bit words."""
        halves = 3 * self.sequences + 2 + self.sequences * self.pages
        return 5 * self.columns + self.scored + -(-halves // 2)


@dataclass(frozen=True, slots=True)
class StepInputs:
    """A step's tokens and where they go; all are views of one memory.

    Attributes:
        shape: the sizes.
        tokens: long [N].
        positions: place of each token in its sequence, long [N].
        turns: the position that turns each token's query and key, long [N].
        slots: cache slot of each token, long [N].
        owners: number of each token's sequence in the step, long [N].
        scored: columns whose scores are wanted, long [S].
        query_starts: first column of each sequence and the end of the last, int [B + 1].
        key_starts: the same, counted in the keys they see, int [B + 1].
        key_lengths: keys that each sequence sees, int [B].
        pages: the blocks that hold them, in order, int [B, P]; beyond them the scratch block.
    """

    shape: StepShape
    tokens: Tensor
    positions: Tensor
    turns: Tensor
    slots: Tensor
    owners: Tensor
    scored: Tensor
    query_starts: Tensor
    key_starts: Tensor
    key_lengths: Tensor
    pages: Tensor


def shape_of(batch: FlatBatch, block_size: int) -> StepShape:
    """Return the sizes of a step as it is."""
    spans = batch.spans
    longest_key = max(span.keys for span in spans)
    return StepShape(
        columns=len(batch.tokens),
        sequences=len(spans),
        lone=sum(1 for _ in takewhile(lambda span: span.count == 1, spans)),
        pages=-(-longest_key // block_size),
        scored=max(1, len(batch.scored)),
        longest_query=max(span.count for span in spans),
        longest_key=longest_key,
    )


def decoding_shape(sequences: int, pages: int, block_size: int) -> StepShape:
    """Return the sizes of a decode step of so many sequences, up to so many pages each."""
    return StepShape(
        columns=sequences,
        sequences=sequences,
        lone=sequences,
        pages=pages,
        scored=sequences,
        longest_query=1,
        longest_key=pages * block_size,
    )


def cut(memory: Tensor, shape: StepShape) -> StepInputs:
    """Divide a memory, long [at least `shape.words`], into the inputs of a step."""
    count, many = shape.columns, shape.sequences
    longs = [count, count, count, count, count, shape.scored]
    tokens, positions, turns, slots, owners, scored = memory[: sum(longs)].split(longs)
    ints = [many + 1, many + 1, many, many * shape.pages]
    halves = memory[sum(longs) : shape.words].view(torch.int32)[: sum(ints)]
    query_starts, key_starts, key_lengths, pages = halves.split(ints)
    return StepInputs(
        shape, tokens, positions, turns, slots, owners, scored, query_starts, key_starts,
        key_lengths, pages.view(many, shape.pages),
    )  # fmt: skip


def fill(inputs: StepInputs, batch: FlatBatch, *, block_size: int, scratch_block: int) -> None:
    """Write a batch into inputs on the host.

    Sequences missing to the shape are filled up with ones of a single token in the scratch block;
    scores missing to it are those of the first column.
    """
    missing = inputs.shape.sequences - len(batch.spans)
    counts = np.array([span.count for span in batch.spans] + [1] * missing)
    keys = np.array([span.keys for span in batch.spans] + [1] * missing)
    _put(inputs.tokens, batch.tokens, 0)
    _put(inputs.positions, batch.positions, 0)
    _put(inputs.turns, batch.turns, 0)
    _put(inputs.slots, batch.slots, scratch_block * block_size)
    _put(inputs.scored, batch.scored, 0)
    inputs.owners.numpy()[:] = np.repeat(np.arange(len(counts)), counts)
    inputs.query_starts.numpy()[:] = np.concatenate(([0], counts.cumsum()))
    inputs.key_starts.numpy()[:] = np.concatenate(([0], keys.cumsum()))
    inputs.key_lengths.numpy()[:] = keys
    pages = inputs.pages.numpy()
    pages.fill(scratch_block)
    for row, span in zip(pages, batch.spans, strict=False):
        used = -(-span.keys // block_size)
        row[:used] = span.blocks[:used]


def _put(target: Tensor, values: Sequence[int], padding: int) -> None:
    array = target.numpy()
    array[: len(values)] = values
    array[len(values) :] = padding
