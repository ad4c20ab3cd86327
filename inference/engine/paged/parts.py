"""A step as padded batches, for kernels that know no flat ones: lone queries, then all others."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from inference.engine.paged.inputs import StepInputs


@dataclass(frozen=True, slots=True)
class Part:
    """Some sequences of a step as one padded batch of R sequences with n queries each.

    A sequence with fewer queries repeats its last one.

    Attributes:
        columns: columns of the queries, long [R, n].
        positions: places of the queries in their sequences, long [R, n].
        pages: the page tables, int [R, P].
        key_lengths: keys each sequence sees, int [R].
        rows: for each column of the part its sequence here, long [M].
        places: for each column its query there, long [M].
    """

    columns: Tensor
    positions: Tensor
    pages: Tensor
    key_lengths: Tensor
    rows: Tensor
    places: Tensor

    def queries(self, query: Tensor) -> Tensor:
        """Take the part's queries out of a step's, [N, heads, D] to [R, n, heads, D]."""
        return query[self.columns]

    def flat(self, mixed: Tensor) -> Tensor:
        """Bring results back to columns, [R, n, heads, D] to [M, heads, D]."""
        return mixed[self.rows, self.places]


def parts_of(inputs: StepInputs) -> list[Part]:
    """Divide a step into at most two parts, in the order of its columns."""
    return list(_parts(inputs))


def _parts(inputs: StepInputs) -> Iterator[Part]:
    lone = inputs.shape.lone
    if lone:
        yield _part(inputs, slice(0, lone), slice(0, lone), 1)
    if lone < inputs.shape.sequences:
        columns = slice(lone, inputs.shape.columns)
        yield _part(inputs, slice(lone, None), columns, inputs.shape.longest_query)


def _part(inputs: StepInputs, which: slice, own: slice, count: int) -> Part:
    starts = inputs.query_starts[:-1][which].long()
    counts = inputs.query_starts[1:][which].long() - starts
    offsets = torch.arange(count, device=starts.device)
    columns = starts[:, None] + torch.minimum(offsets, counts[:, None] - 1)  # [R, n]
    rows = inputs.owners[own] - which.start
    places = torch.arange(own.start, own.stop, device=starts.device) - starts[rows]
    return Part(
        columns=columns,
        positions=inputs.positions[columns],
        pages=inputs.pages[which],
        key_lengths=inputs.key_lengths[which],
        rows=rows,
        places=places,
    )
