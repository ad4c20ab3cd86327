import torch

from inference.engine.kv_cache import CacheShape, KVCache

SHAPE = CacheShape(rows=3, row_blocks=2, block_size=4)


def test_a_token_is_found_in_its_row_and_at_its_place():
    cache = KVCache(SHAPE)
    keys, values = torch.randn(3, 2, 8), torch.randn(3, 2, 6)
    slots = torch.tensor([0, 9, 23])

    cache.write(0, cache.head_slots(slots, 2), keys, values)

    key_rows, value_rows = cache.layer(0)
    for number, (row, place) in enumerate([(0, 0), (1, 1), (2, 7)]):
        torch.testing.assert_close(key_rows[place // 4, row, :, place % 4], keys[number])
        torch.testing.assert_close(value_rows[place // 4, row, :, place % 4], values[number])
    assert int((key_rows != 0).any(-1).sum()) == 3 * 2


def test_blocks_are_copied_and_cleared_in_every_layer():
    cache = KVCache(SHAPE)
    new = torch.randn(4, 2, 8)
    for layer in range(2):
        cache.write(layer, cache.head_slots(torch.arange(4, 8), 2), new, new)

    cache.copy_blocks([(1, 4)])
    cache.clear_blocks([1])

    for layer in range(2):
        keys, values = cache.layer(layer)
        torch.testing.assert_close(keys[0, 2], new.transpose(0, 1))
        torch.testing.assert_close(values[0, 2], new.transpose(0, 1))
        assert not keys[:, 0].any()


def test_the_cache_tells_what_a_token_costs():
    cache = KVCache(SHAPE)
    for layer in range(3):
        cache.write(layer, torch.tensor([0, 8]), torch.randn(1, 2, 8), torch.randn(1, 2, 6))

    assert cache.bytes_per_token == 3 * (2 * 8 + 2 * 6) * 4
