import pytest
import torch

from inference.engine.attention import attend, visible_keys
from inference.engine.kv_cache import KVCache, Span


def attend_slowly(queries, keys, values, *, scaling, sliding_window, softcap):
    """One query at a time, straight from the formula."""
    heads, count, size = queries.shape
    total = keys.shape[1]
    rows = []
    for head in range(heads):
        key_head = head // (heads // keys.shape[0])
        for query in range(count):
            position = total - count + query
            first = 0 if sliding_window is None else max(0, position - sliding_window + 1)
            seen = slice(first, position + 1)
            scores = keys[key_head, seen] @ queries[head, query]
            scores = scores * (size**-0.5 if scaling is None else scaling)
            if softcap is not None:
                scores = torch.tanh(scores / softcap) * softcap
            rows.append(scores.softmax(-1) @ values[key_head, seen])
    return torch.stack(rows).view(heads, count, -1)


@pytest.mark.parametrize("count", [1, 5, 12])
@pytest.mark.parametrize("key_heads", [1, 2, 4])
@pytest.mark.parametrize(
    "rules",
    [
        {"scaling": None, "sliding_window": None, "softcap": None},
        {"scaling": 0.3, "sliding_window": 4, "softcap": None},
        {"scaling": None, "sliding_window": 4, "softcap": 2.0},
        {"scaling": None, "sliding_window": 50, "softcap": None},
    ],
)
def test_attention_is_the_formula(count, key_heads, rules):
    torch.manual_seed(0)
    queries = torch.randn(4, count, 8)
    keys = torch.randn(key_heads, 12, 8)
    values = torch.randn(key_heads, 12, 6)

    mixed = attend(queries, keys, values, **rules)

    torch.testing.assert_close(mixed, attend_slowly(queries, keys, values, **rules))


def test_a_single_token_sees_everything_without_a_mask():
    assert visible_keys(1, 9, None, device=torch.device("cpu")) is None


def test_a_window_longer_than_the_past_hides_nothing():
    assert visible_keys(1, 9, 9, device=torch.device("cpu")) is None


@pytest.mark.parametrize("last", [None, 5])
def test_scattered_and_neighbouring_blocks_read_the_same(last):
    cache = KVCache(block_count=4, block_size=4)
    keys, values = torch.randn(7, 2, 8), torch.randn(7, 2, 6)
    neighbours = torch.arange(4, 11)
    scattered = torch.tensor([12, 13, 14, 15, 0, 1, 2])

    cache.write(0, neighbours, keys, values)
    in_place = cache.read(0, Span(0, 1, 7, 4, None), last=last)
    cache.write(0, scattered, keys, values)
    together = cache.read(0, Span(0, 1, 7, 12, torch.tensor([3, 0])), last=last)

    skipped = 0 if last is None else 2
    for one, other, written in zip(in_place, together, (keys, values), strict=True):
        torch.testing.assert_close(one, written[skipped:].transpose(0, 1))
        torch.testing.assert_close(other, one)


def test_the_cache_tells_what_a_token_costs():
    cache = KVCache(block_count=2, block_size=4)
    for layer in range(3):
        cache.write(layer, torch.tensor([0]), torch.randn(1, 2, 8), torch.randn(1, 2, 6))

    assert cache.bytes_per_token == 3 * (2 * 8 + 2 * 6) * 4
