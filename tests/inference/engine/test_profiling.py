import pytest
import torch

from inference.engine.attention import PACKED_ATTENTION
from inference.engine.config import EngineConfig
from inference.engine.kv_cache import KVCache
from inference.engine.model_runner import PackedRunner, TransformersForward
from inference.engine.profiling import largest_step, step_peak_bytes
from inference.engine.row_attention import RowAttention
from inference.exceptions import ModelLoadError
from tests.support.tiny_models import tiny_llama


@pytest.mark.parametrize(
    ("seqs", "tokens", "window", "counts"),
    [
        (4, 32, 512, [29, 1, 1, 1]),
        (4, 32, 12, [12, 12, 7, 1]),
        (2, 64, 12, [12, 12]),
        (3, 3, 512, [1, 1, 1]),
    ],
)
def test_the_largest_step_is_full_and_in_every_slot(seqs, tokens, window, counts):
    config = EngineConfig(max_num_seqs=seqs, max_batched_tokens=tokens, block_size=4)

    chunks, shape = largest_step(config, context_length=window)

    assert [chunk.count for chunk in chunks] == counts
    assert all(chunk.scored == 1 for chunk in chunks)
    blocks = [block for chunk in chunks for block in chunk.sequence.blocks]
    assert blocks == list(range(shape.block_count))


def test_the_largest_step_can_be_computed():
    model = tiny_llama()
    model.set_attn_implementation(PACKED_ATTENTION)
    config = EngineConfig(max_num_seqs=4, max_batched_tokens=40)
    chunks, shape = largest_step(config, context_length=32)

    runner = PackedRunner(
        TransformersForward(model), RowAttention(KVCache(shape)), torch.device("cpu")
    )

    assert runner.compute(chunks).shape == (4, model.config.vocab_size)


def test_on_cpu_the_largest_step_is_not_tried():
    class Refusing:
        def compute(self, chunks):
            raise AssertionError("nobody counts memory here")

    def runner_over(shape):
        return Refusing(), KVCache(shape)

    peak = step_peak_bytes(runner_over, torch.device("cpu"), EngineConfig(), context_length=512)

    assert peak == 0


def test_a_model_that_leaves_no_memory_for_a_cache_is_refused(make_engine):
    with pytest.raises(ModelLoadError, match="no memory for a KV cache"):
        make_engine(kv_cache_bytes=100)


def test_a_stated_number_of_bytes_sizes_the_cache(make_engine):
    # Two layers of two key heads of 16 numbers, keys and values, 4 bytes each.
    engine = make_engine(kv_cache_bytes=512 * 512, context_length=256)

    assert engine.stats().free_blocks == 512 // 16
