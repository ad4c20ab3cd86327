import torch

from inference.engine.kv_cache import CacheShape
from inference.engine.paged.cache import PagedKVCache

SHAPE = CacheShape(rows=1, row_blocks=3, block_size=4)


def test_a_token_is_found_in_its_page():
    cache = PagedKVCache(SHAPE)
    keys, values = torch.randn(3, 2, 8), torch.randn(3, 2, 6)

    cache.write(0, torch.tensor([0, 9, 12]), keys, values)

    key_pages, value_pages = cache.layer(0)
    assert key_pages.shape == (4, 4, 2, 8)  # three blocks, and one that is nobody's
    for number, (page, place) in enumerate([(0, 0), (2, 1), (cache.scratch_block, 0)]):
        torch.testing.assert_close(key_pages[page, place], keys[number])
        torch.testing.assert_close(value_pages[page, place], values[number])


def test_pages_are_copied_and_cleared_in_every_layer():
    cache = PagedKVCache(SHAPE)
    new = torch.randn(4, 2, 8)
    for layer in range(2):
        cache.write(layer, torch.arange(4, 8), new, new)

    cache.copy_blocks([(1, 2)])
    cache.clear_blocks([1])

    for layer in range(2):
        keys, values = cache.layer(layer)
        torch.testing.assert_close(keys[2], new)
        torch.testing.assert_close(values[2], new)
        assert not keys[1].any()


def test_the_cost_of_a_token_does_not_count_the_scratch_block():
    cache = PagedKVCache(SHAPE)
    cache.write(0, torch.tensor([0]), torch.randn(1, 2, 8), torch.randn(1, 2, 6))

    assert cache.bytes_per_token == (2 * 8 + 2 * 6) * 4
