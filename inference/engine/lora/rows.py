"""Whose rows are whose: the rows of a step by the adapter that each is computed with."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from inference.engine.lora.low_rank import LowRank
from inference.engine.sequence import Chunk


@dataclass(slots=True)
class RowGroup:
    """The rows of one adapter.

    Attributes:
        adapter: its name.
        rows: which rows, ascending.
    """

    adapter: str
    rows: list[int]
    _indices: dict[torch.device, Tensor] = field(default_factory=dict)

    def add(self, addition: LowRank, x: Tensor, y: Tensor) -> None:
        """Add to these rows of y [N, out] what the adapter makes of the rows of x [N, in].

        Rows that are neighbours, such as a prompt's, are a view and need no gathering.
        """
        first, count = self.rows[0], len(self.rows)
        x = x.to(addition.down.dtype)
        if self.rows[-1] - first + 1 == count:
            y[first : first + count] += addition(x[first : first + count]).to(y.dtype)
        else:
            index = self._index(y.device)
            y.index_add_(0, index, addition(x[index]).to(y.dtype))

    def _index(self, device: torch.device) -> Tensor:
        if device not in self._indices:
            self._indices[device] = torch.tensor(self.rows, dtype=torch.long, device=device)
        return self._indices[device]


@dataclass(frozen=True, slots=True)
class StepRows:
    """The rows of a step, in the two shapes that projections see them.

    Attributes:
        column_count: tokens of the step.
        columns: groups of them; rows of the bare model are in none.
        scored_count: tokens whose scores are wanted, all that reaches the head.
        scored: groups of those.
    """

    column_count: int = 0
    columns: Sequence[RowGroup] = ()
    scored_count: int = 0
    scored: Sequence[RowGroup] = ()

    def groups(self, x: Tensor, *, is_head: bool) -> Sequence[RowGroup]:
        """Return the groups of rows x [M, in] that enter a projection.

        Raises:
            NotImplementedError: it sees other rows than the step's, so nobody knows whose they are.
        """
        if len(x) == self.column_count:
            return self.columns
        # A step that scores nothing has one row computed all the same, and thrown away.
        if is_head and len(x) == max(1, self.scored_count):
            return self.scored
        raise NotImplementedError(
            f"an adapter changes a projection that sees {len(x)} rows of {self.column_count}"
        )


NO_ROWS = StepRows()


def rows_of(chunks: Sequence[Chunk]) -> StepRows:
    """Return the rows of a step whose chunks lie side by side, in the order given."""
    if not any(chunk.sequence.adapter for chunk in chunks):
        return NO_ROWS
    columns = [(chunk.sequence.adapter, chunk.count) for chunk in chunks]
    scored = [(chunk.sequence.adapter, chunk.scored) for chunk in chunks]
    return StepRows(
        sum(count for _, count in columns),
        _grouped(columns),
        sum(count for _, count in scored),
        _grouped(scored),
    )


def whole(adapter: str, count: int) -> StepRows:
    """Return the rows of a text of so many tokens that is computed with one adapter."""
    groups = _grouped([(adapter, count)])
    return StepRows(count, groups, count, groups)


def _grouped(parts: Iterable[tuple[str, int]]) -> list[RowGroup]:
    """Collect the rows of each adapter from parts of so many rows."""
    rows: dict[str, list[int]] = {}
    first = 0
    for adapter, count in parts:
        if adapter and count:
            rows.setdefault(adapter, []).extend(range(first, first + count))
        first += count
    return [RowGroup(adapter, found) for adapter, found in rows.items()]
