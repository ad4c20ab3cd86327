"""Rows of a step find the adapter of their sequence, and no other."""

import pytest
import torch

from inference.engine.lora.low_rank import LowRank
from inference.engine.lora.rows import NO_ROWS, rows_of, whole
from inference.engine.sequence import Chunk, Sequence

DOUBLING = LowRank(torch.eye(3), torch.eye(3))


def chunk(adapter: str, count: int, scored: int = 1) -> Chunk:
    tokens = [0] * count
    sequence = Sequence("a", tokens, prompt_tokens=count, max_tokens=1, adapter=adapter)
    return Chunk(sequence, 0, count, scored)


def test_rows_are_grouped_by_adapter_in_their_order():
    rows = rows_of([chunk("poet", 2), chunk("", 1), chunk("clerk", 3, 0), chunk("poet", 1)])

    assert rows.column_count == 7
    assert [(group.adapter, group.rows) for group in rows.columns] == [
        ("poet", [0, 1, 6]),
        ("clerk", [3, 4, 5]),
    ]
    assert rows.scored_count == 3
    assert [(group.adapter, group.rows) for group in rows.scored] == [("poet", [0, 2])]


def test_a_step_of_the_bare_model_has_no_groups():
    assert rows_of([chunk("", 2), chunk("", 1)]) is NO_ROWS


@pytest.mark.parametrize("adapters", [("", "poet"), ("poet", "", "poet")])
def test_only_the_rows_of_an_adapter_change(adapters):
    rows = rows_of([chunk(adapter, 2) for adapter in adapters])
    x = torch.arange(6.0 * len(adapters)).view(-1, 3)
    y = torch.zeros_like(x)

    for group in rows.columns:
        group.add(DOUBLING, x, y)

    own = torch.tensor([adapter == "poet" for adapter in adapters]).repeat_interleave(2)
    assert torch.equal(y, x * own[:, None])


def test_the_head_sees_scored_rows_and_others_see_all():
    rows = rows_of([chunk("poet", 3), chunk("", 2)])

    assert rows.groups(torch.zeros(2, 4), is_head=True) is rows.scored
    assert rows.groups(torch.zeros(5, 4), is_head=True) is rows.columns
    with pytest.raises(NotImplementedError, match="sees 2 rows of 5"):
        rows.groups(torch.zeros(2, 4), is_head=False)


def test_a_step_that_scores_nothing_has_one_row_thrown_away():
    rows = rows_of([chunk("poet", 3, 0)])

    assert rows.groups(torch.zeros(1, 4), is_head=True) == []


def test_a_whole_text_belongs_to_one_adapter():
    assert [group.rows for group in whole("poet", 4).columns] == [[0, 1, 2, 3]]
