import torch

from inference.engine.kv_cache import CacheShape
from inference.engine.paged.cache import PagedKVCache
from inference.engine.paged.inputs import shape_of
from inference.engine.paged.staging import Staging
from tests.support.flat_batches import batch_of, placed

SHAPE = CacheShape(rows=1, row_blocks=12, block_size=4)


def test_a_step_travels_as_one_memory():
    sequences = [placed("a", 6, [3, 9]), placed("b", 3, [1]), placed("c", 11, [7, 0, 5])]
    batch = batch_of(sequences, [1, 1, 4], SHAPE)
    shape = shape_of(batch, 4)

    inputs = Staging(PagedKVCache(SHAPE), torch.device("cpu")).send(batch, shape)

    assert (shape.columns, shape.sequences, shape.lone, shape.pages) == (6, 3, 2, 3)
    assert (shape.longest_query, shape.longest_key, shape.is_decoding) == (4, 11, False)
    assert inputs.tokens.tolist() == [5, 2, 7, 8, 9, 10]
    assert inputs.positions.tolist() == [5, 2, 7, 8, 9, 10]
    assert inputs.slots.tolist() == [9 * 4 + 1, 1 * 4 + 2, 3, 20, 21, 22]
    assert inputs.owners.tolist() == [0, 1, 2, 2, 2, 2]
    assert inputs.scored.tolist() == [0, 1, 5]
    assert inputs.query_starts.tolist() == [0, 1, 2, 6]
    assert inputs.key_starts.tolist() == [0, 6, 9, 20]
    assert inputs.key_lengths.tolist() == [6, 3, 11]
    assert inputs.pages.tolist() == [[3, 9, 12], [1, 12, 12], [7, 0, 5]]
    assert {each.dtype for each in (inputs.pages, inputs.query_starts)} == {torch.int32}


def test_a_step_that_is_sent_is_not_touched_by_the_next():
    staging = Staging(PagedKVCache(SHAPE), torch.device("cpu"))
    first = batch_of([placed("a", 6, [3, 9])], [1], SHAPE)
    long = batch_of([placed("b", 40, list(range(10)))], [40], SHAPE)

    inputs = staging.send(first, shape_of(first, 4))
    large = staging.send(long, shape_of(long, 4))

    assert inputs.tokens.tolist() == [5]
    assert large.tokens.tolist() == list(range(40))
