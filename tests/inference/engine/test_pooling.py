from itertools import pairwise

import pytest
import torch

from inference.engine.pooling import Pool

STATES = torch.tensor([[1.0, 0.0], [2.0, 4.0], [3.0, 8.0], [6.0, 0.0], [8.0, 3.0]])
POOLED = {"mean": [4.0, 3.0], "cls": [1.0, 0.0], "last": [8.0, 3.0]}


def pooled(pooling, chunks, *, normalize=False):
    pool = Pool(pooling)
    for start, end in chunks:
        pool.take(start, STATES[start:end])
    return pool.vector(normalize=normalize).tolist()


@pytest.mark.parametrize("pooling", POOLED)
@pytest.mark.parametrize("cuts", [(0, 5), (0, 2, 5), (0, 1, 2, 3, 4, 5)])
def test_chunks_pool_to_what_the_whole_text_gives(pooling, cuts):
    chunks = list(pairwise(cuts))

    assert pooled(pooling, chunks) == POOLED[pooling]


@pytest.mark.parametrize("pooling", POOLED)
def test_a_chunk_that_is_computed_again_counts_once(pooling):
    again = [(0, 2), (0, 2), (2, 4), (2, 4), (2, 4), (4, 5), (4, 5)]

    assert pooled(pooling, again) == POOLED[pooling]


@pytest.mark.parametrize("pooling", POOLED)
def test_the_first_half_of_a_chunk_takes_its_place(pooling):
    assert pooled(pooling, [(0, 2), (2, 5), (2, 3), (3, 5)]) == POOLED[pooling]


@pytest.mark.parametrize("pooling", POOLED)
def test_a_text_that_was_sent_back_begins_anew(pooling):
    assert pooled(pooling, [(0, 2), (2, 4), (0, 3), (3, 5)]) == POOLED[pooling]


def test_a_normalised_vector_has_length_one():
    assert pooled("mean", [(0, 5)], normalize=True) == pytest.approx([0.8, 0.6])


def test_a_vector_of_zeros_stays_one():
    pool = Pool("mean")
    pool.take(0, torch.zeros(3, 2))

    assert pool.vector(normalize=True).tolist() == [0.0, 0.0]


def test_many_states_of_low_precision_are_summed_in_full():
    pool = Pool("mean")
    pool.take(0, torch.ones(4_000, 1, dtype=torch.bfloat16))

    assert pool.vector(normalize=False).tolist() == [1.0]


def test_a_missing_chunk_is_noticed():
    pool = Pool("mean")
    pool.take(0, STATES[:2])

    with pytest.raises(AssertionError, match="missing"):
        pool.take(3, STATES[3:])
