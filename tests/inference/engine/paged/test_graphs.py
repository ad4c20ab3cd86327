import logging

import pytest
import torch

from inference.engine.kv_cache import CacheShape
from inference.engine.paged.cache import PagedKVCache
from inference.engine.paged.graphs import DecodeGraphs, graph_sizes
from inference.engine.paged.inputs import shape_of
from inference.engine.paged.staging import Staging
from tests.support.flat_batches import batch_of, placed

SHAPE = CacheShape(rows=1, row_blocks=16, block_size=4)


class Forward:
    """Scores that tell what a step was: the token, its position, its keys and its first page."""

    def __init__(self):
        self.shapes = []

    def __call__(self, inputs):
        self.shapes.append(inputs.shape)
        facts = (inputs.tokens, inputs.positions, inputs.key_lengths, inputs.pages[:, 0])
        return torch.stack([fact.float() for fact in facts], dim=1)[inputs.scored]


@pytest.fixture
def forward():
    return Forward()


@pytest.fixture
def staging():
    return Staging(PagedKVCache(SHAPE), torch.device("cpu"))


def graphs_of(forward, staging, record, *, is_narrowed=False):
    return DecodeGraphs(
        forward,
        staging,
        record,
        sizes=graph_sizes(6),
        pages=4,
        block_size=4,
        is_narrowed=is_narrowed,
    )


def decoding(*lengths):
    """A decode step of sequences of so many tokens, two pages each."""
    sequences = [placed(str(n), length, [2 * n + 1, 2 * n]) for n, length in enumerate(lengths)]
    batch = batch_of(sequences, [1] * len(lengths), SHAPE)
    return batch, shape_of(batch, 4)


def facts(*lengths):
    return [[length - 1, length - 1, length, 2 * n + 1] for n, length in enumerate(lengths)]


@pytest.mark.parametrize(
    ("largest", "sizes"),
    [(1, [1]), (3, [1, 2, 3]), (8, [1, 2, 4, 8]), (27, [1, 2, 4, 8, 16, 24, 27])],
)
def test_sizes_grow_by_powers_of_two_then_by_eights(largest, sizes):
    assert graph_sizes(largest) == sizes


def test_a_step_is_filled_up_to_the_next_size(forward, staging, recorder):
    graphs = graphs_of(forward, staging, recorder)

    logits = graphs.replay(*decoding(5, 7, 3))

    assert logits.tolist() == facts(5, 7, 3)
    assert recorder.sizes == [6, 4, 2, 1]  # the largest first
    assert [graph.replays for graph in recorder.graphs] == [0, 1, 0, 0]


def test_rows_that_fill_a_batch_stay_in_the_scratch_block(staging):
    batch, _ = decoding(5)
    shape = shape_of(decoding(5, 6, 7)[0], 4)

    inputs = staging.send(batch, shape)

    assert inputs.key_lengths.tolist() == [5, 1, 1]
    assert inputs.slots.tolist() == [0 * 4 + 0, 16 * 4, 16 * 4]
    assert inputs.pages.tolist() == [[1, 0], [16, 16], [16, 16]]


def test_scores_outlive_the_next_replay(forward, staging, recorder):
    graphs = graphs_of(forward, staging, recorder)

    first = graphs.replay(*decoding(5, 7))
    graphs.replay(*decoding(3, 6))

    assert first.tolist() == facts(5, 7)


def test_graphs_are_captured_once(forward, staging, recorder):
    graphs = graphs_of(forward, staging, recorder)
    for lengths in ((5, 7), (3,), (6, 6, 6, 6, 6, 6)):
        assert graphs.replay(*decoding(*lengths)).tolist() == facts(*lengths)

    assert len(recorder.graphs) == 4


def test_what_reads_every_page_gets_graphs_of_narrow_tables(forward, staging, recorder):
    graphs = graphs_of(forward, staging, recorder, is_narrowed=True)

    graphs.replay(*decoding(3, 4))
    graphs.replay(*decoding(3, 8))

    assert {shape.pages for shape in forward.shapes} == {1, 2}


@pytest.mark.parametrize(
    "step",
    [
        batch_of([placed("a", 9, [0, 1, 2])], [2], SHAPE),  # a chunk of a prompt
        batch_of([placed(str(n), 3, [n]) for n in range(7)], [1] * 7, SHAPE),  # too many
        batch_of([placed("a", 20, [0, 1, 2, 3, 4])], [1], SHAPE),  # longer than the window
    ],
    ids=["chunk", "many", "long"],
)
def test_other_steps_are_not_for_graphs(forward, staging, recorder, step):
    graphs = graphs_of(forward, staging, recorder)

    assert graphs.replay(step, shape_of(step, 4)) is None
    assert recorder.replays == 0


def test_a_device_that_cannot_capture_goes_on_without_graphs(forward, staging, caplog):
    def refuse(compute):
        raise RuntimeError("operation not permitted when stream is capturing")

    graphs = graphs_of(forward, staging, refuse)

    with caplog.at_level(logging.WARNING):
        assert graphs.replay(*decoding(5)) is None
        assert graphs.replay(*decoding(5)) is None

    assert len(caplog.records) == 1
