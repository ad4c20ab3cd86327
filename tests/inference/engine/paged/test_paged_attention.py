import pytest
import torch

from inference.engine.attention import ScoreOptions
from inference.engine.kv_cache import CacheShape
from inference.engine.paged.backend import PagedBackend, PagedStep
from inference.engine.paged.cache import PagedKVCache
from inference.engine.paged.flash import FlashAttention2, FlashAttention3
from inference.engine.paged.flex import FlexAttention
from inference.engine.paged.gathered import GatheredAttention
from inference.engine.paged.inputs import shape_of
from inference.engine.paged.staging import Staging
from inference.engine.paged.varlen import TorchVarlenAttention
from tests.support import pretend_flash
from tests.support.flat_batches import batch_of, placed
from tests.support.slow_attention import attend_slowly

CPU = torch.device("cpu")
PLAIN = ScoreOptions()
OPTIONS = [
    PLAIN,
    ScoreOptions(scaling=0.3, sliding_window=4),
    ScoreOptions(sliding_window=300),
    ScoreOptions(softcap=2.0, sliding_window=7),
]
# Pages of the sequences below: scattered, and out of order.
LONG, MIDDLE, SHORT, NEW = [6, 1, 4], [3, 0], [7], [2, 5]


@pytest.fixture(autouse=True)
def pretend_packages(monkeypatch):
    pretend_flash.install(monkeypatch)


def sequences_for(block_size: int, counts: list[int]):
    """Sequences of two and a half, one and a bit, a few and one and a half blocks."""
    lengths = [2 * block_size + block_size // 2, block_size + 3, 5, block_size * 3 // 2]
    pages = [LONG, MIDDLE, SHORT, NEW]
    return [placed(str(n), lengths[n], pages[n]) for n in range(len(counts))]


def check_step(
    backend: PagedBackend,
    block_size: int,
    counts: list[int],
    options: ScoreOptions,
    *,
    key_heads: int = 2,
    dtype: torch.dtype = torch.float32,
) -> None:
    """Fill a cache with all but the last tokens of some sequences, attend with those, compare."""
    torch.manual_seed(0)
    shape = CacheShape(rows=1, row_blocks=8, block_size=block_size)
    cache = PagedKVCache(shape)
    sequences = sequences_for(block_size, counts)
    lengths = [len(sequence.tokens) for sequence in sequences]
    keys = [torch.randn(n, key_heads, 8, dtype=dtype) for n in lengths]
    values = [torch.randn(n, key_heads, 8, dtype=dtype) for n in lengths]
    queries = [torch.randn(count, 4, 8, dtype=dtype) for count in counts]
    earlier = [n - count for n, count in zip(lengths, counts, strict=True)]
    for sequence, own_keys, own_values, count in zip(sequences, keys, values, earlier, strict=True):
        slots = torch.tensor(batch_of([sequence], [len(sequence.tokens)], shape).slots)
        cache.write(0, slots[:count], own_keys[:count], own_values[:count])
    batch = batch_of(sequences, counts, shape)
    inputs = Staging(cache, CPU).send(batch, shape_of(batch, block_size))

    mixed = PagedStep(cache, backend, inputs).attend(
        0,
        torch.cat(queries),
        torch.cat([own[start:] for own, start in zip(keys, earlier, strict=True)]),
        torch.cat([own[start:] for own, start in zip(values, earlier, strict=True)]),
        options,
    )

    slowly = [
        attend_slowly(*(each.double() for each in one), options)
        for one in zip(queries, keys, values, strict=True)
    ]
    tolerance = 1e-5 if dtype == torch.float32 else 0.05
    torch.testing.assert_close(mixed.double(), torch.cat(slowly), atol=tolerance, rtol=tolerance)


STEPS = {
    "decode": [1, 1, 1, 1],
    "chunks": [7, 3, 5, 9],
    "decode beside a chunk": [1, 1, 1, 17],
    "one chunk": [20],
    "drafts": [3, 3, 3],
}


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("counts", STEPS.values(), ids=STEPS.keys())
@pytest.mark.parametrize("key_heads", [1, 2, 4])
def test_gathered_pages_give_what_the_formula_gives(counts, options, key_heads):
    check_step(GatheredAttention(), 16, counts, options, key_heads=key_heads)


@pytest.mark.filterwarnings("ignore:flex_attention called without torch.compile")
@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("counts", STEPS.values(), ids=STEPS.keys())
def test_flex_attention_gives_what_the_formula_gives(counts, options):
    check_step(FlexAttention(is_compiled=False), 16, counts, options)


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("counts", STEPS.values(), ids=STEPS.keys())
def test_flash_attention_2_is_called_as_it_documents(counts, options):
    check_step(FlashAttention2(), 256, counts, options)

    expected = "with_kvcache" if set(counts) == {1} else "varlen"
    assert pretend_flash.calls == [expected]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("counts", STEPS.values(), ids=STEPS.keys())
def test_flash_attention_3_is_called_as_it_documents(counts, options):
    check_step(FlashAttention3(), 24, counts, options)

    assert pretend_flash.calls == ["with_kvcache 3"]


@pytest.mark.parametrize("options", OPTIONS[:3], ids=str)
@pytest.mark.parametrize("counts", STEPS.values(), ids=STEPS.keys())
def test_torch_varlen_attention_is_called_as_it_documents(counts, options):
    check_step(TorchVarlenAttention(), 16, counts, options)

    assert pretend_flash.calls == ["torch varlen"]


def test_torch_varlen_attention_refuses_a_cap_on_scores():
    with pytest.raises(NotImplementedError, match="cap"):
        check_step(TorchVarlenAttention(), 16, [1], ScoreOptions(softcap=2.0))


def test_pages_refuse_sinks_so_that_rows_take_over():
    with pytest.raises(NotImplementedError, match="sinks"):
        check_step(GatheredAttention(), 16, [1], ScoreOptions(sinks=torch.zeros(4)))


@pytest.mark.parametrize("counts", STEPS.values(), ids=STEPS.keys())
def test_gathered_pages_agree_in_low_precision(counts):
    check_step(GatheredAttention(), 16, counts, PLAIN, dtype=torch.bfloat16)
