import pytest
import torch

from inference.engine.attention import ScoreOptions
from inference.engine.flat_batch import Run, Span
from inference.engine.kv_cache import CacheShape, KVCache
from inference.engine.row_attention import PADDING_TOKENS, RowStep, group_spans
from tests.support.flat_batches import batch_of, placed
from tests.support.slow_attention import attend_slowly

OPTIONS = [
    ScoreOptions(),
    ScoreOptions(scaling=0.3, sliding_window=4),
    ScoreOptions(sliding_window=4, softcap=2.0),
    ScoreOptions(sliding_window=50),
    ScoreOptions(sliding_window=4, sinks=torch.tensor([1.5, -0.5, 0.0, 3.0])),
]
SHAPE = CacheShape(rows=4, row_blocks=6, block_size=4)
KEY_SIZE, VALUE_SIZE = 8, 6


def check_step(sequences, counts, *, key_heads=2, options=OPTIONS[0], dtype=torch.float32):
    """Fill a cache with all but the last tokens of some sequences, attend with those, compare."""
    torch.manual_seed(0)
    cache = KVCache(SHAPE)
    keys = [torch.randn(len(s.tokens), key_heads, KEY_SIZE, dtype=dtype) for s in sequences]
    values = [torch.randn(len(s.tokens), key_heads, VALUE_SIZE, dtype=dtype) for s in sequences]
    for sequence, own_keys, own_values in zip(sequences, keys, values, strict=True):
        batch = batch_of([sequence], [len(sequence.tokens)], SHAPE)
        queries = torch.randn(len(sequence.tokens), 4, KEY_SIZE, dtype=dtype)
        RowStep(cache, batch).attend(0, queries, own_keys, own_values, options)
    queries = [torch.randn(count, 4, KEY_SIZE, dtype=dtype) for count in counts]

    mixed = RowStep(cache, batch_of(sequences, counts, SHAPE)).attend(
        0,
        torch.cat(queries),
        torch.cat([own[len(own) - count :] for own, count in zip(keys, counts, strict=True)]),
        torch.cat([own[len(own) - count :] for own, count in zip(values, counts, strict=True)]),
        options,
    )

    slowly = [
        attend_slowly(*(each.double() for each in one), options)
        for one in zip(queries, keys, values, strict=True)
    ]
    torch.testing.assert_close(
        mixed.double(),
        torch.cat(slowly),
        **(
            {"atol": 1e-5, "rtol": 1e-5} if dtype == torch.float32 else {"atol": 0.03, "rtol": 0.05}
        ),
        check_dtype=False,
    )


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("count", [1, 5, 12])
@pytest.mark.parametrize("key_heads", [1, 2, 4])
def test_attention_is_the_formula(count, key_heads, options):
    check_step([placed("a", 12, [0, 1, 2])], [count], key_heads=key_heads, options=options)


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("count", [1, 3])
def test_neighbours_of_different_length_are_computed_as_one(count, options):
    sequences = [
        placed("a", 12, [0, 1, 2]),
        placed("b", 7, [6, 7]),
        placed("c", 9, [12, 13, 14]),
    ]
    assert len(list(group_spans(batch_of(sequences, [count] * 3, SHAPE).spans))) == 1

    check_step(sequences, [count] * 3, options=options)


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("count", [1, 6])
def test_scattered_blocks_are_read_in_their_order(count, options):
    check_step([placed("a", 18, [13, 14, 3, 20, 7])], [count], options=options)


def test_decode_and_prefill_share_a_step():
    sequences = [
        placed("a", 12, [0, 1, 2]),
        placed("b", 6, [6, 7]),
        placed("c", 20, [23, *range(12, 16)]),
    ]

    check_step(sequences, [1, 1, 17])


def test_many_queries_over_short_and_long_memory_agree_in_low_precision():
    check_step([placed("a", 22, list(range(6)))], [20], dtype=torch.bfloat16)


def test_low_precision_neighbours_agree():
    sequences = [placed("a", 12, [0, 1, 2]), placed("b", 7, [6, 7])]

    check_step(sequences, [1, 1], dtype=torch.bfloat16)


def spans_of(*places):
    """Spans of one query: (row, offset, keys) each."""
    return [
        Span(number, 1, keys, (Run(row, offset, keys),), [])
        for number, (row, offset, keys) in enumerate(places)
    ]


@pytest.mark.parametrize(
    ("places", "sizes"),
    [
        ([(0, 0, 9), (1, 0, 9), (2, 0, 8)], [3]),
        ([(0, 0, 9), (2, 0, 9)], [1, 1]),  # not neighbours
        ([(0, 0, 9), (1, 4, 9)], [1, 1]),  # not at the same place
        ([(0, 0, 9), (1, 0, 9 + 3 * PADDING_TOKENS)], [1, 1]),  # too much would be read in vain
    ],
)
def test_only_neighbours_of_like_length_are_grouped(places, sizes):
    groups = list(group_spans(spans_of(*places)))

    assert [len(group.spans) for group in groups] == sizes


def test_what_a_mask_hides_may_be_anything_but_not_a_number_nobody_clears():
    cache = KVCache(SHAPE)
    sequences = [placed("a", 12, [0, 1, 2]), placed("b", 3, [6])]
    step = RowStep(cache, batch_of([placed("p", 12, [6, 7, 8])], [12], SHAPE))
    poison = torch.full((12, 2, KEY_SIZE), float("nan"))
    step.attend(0, torch.randn(12, 4, KEY_SIZE), poison, poison, OPTIONS[0])

    cache.clear_blocks([6, 7, 8])

    both = RowStep(cache, batch_of(sequences, [1, 1], SHAPE))
    new = torch.randn(2, 2, KEY_SIZE)
    assert both.attend(0, torch.randn(2, 4, KEY_SIZE), new, new, OPTIONS[0]).isfinite().all()
