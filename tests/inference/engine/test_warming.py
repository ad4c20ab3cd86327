import pytest

from inference.engine.config import EngineConfig
from inference.engine.warming import batch_sizes
from tests.support.engine_runs import answer_together, before_forward, naive_greedy


def test_steps_of_the_usual_shapes_are_computed_before_the_first_request(make_engine):
    engine = make_engine(max_num_seqs=6, max_batched_tokens=64)
    sizes = []
    before_forward(engine, lambda tokens: sizes.append(len(tokens)))

    engine.warm_up()

    assert sizes == [64, 1, 2, 4, 6]


def test_warming_up_leaves_no_trace(make_engine, tiny_model, tokenizer):
    engine = make_engine()

    engine.warm_up()
    before, names = engine.stats(), len(engine._blocks._block_of)
    answers = answer_together(engine, ["Hello!"])

    assert (before.steps, before.used_blocks, before.generated_tokens, names) == (0, 0, 0, 0)
    assert not engine._blocks._promised.any()
    assert answers == [naive_greedy(tiny_model, tokenizer, "Hello!")]


def test_an_engine_tells_how_it_computes_and_what_it_has_room_for(make_engine):
    engine = make_engine(max_num_seqs=4, context_length=256)
    engine.warm_up()

    # Two layers of two key heads of 16 numbers, keys and values, 4 bytes each.
    assert engine.describe() == (
        "fused runner, KV cache of 1024 tokens of 512 bytes, window of 256, 4 slots"
    )


def test_a_cache_too_small_for_every_slot_warms_those_it_has_room_for(make_engine):
    engine = make_engine(max_num_seqs=8, kv_cache_tokens=64, context_length=48)
    sizes = []
    before_forward(engine, lambda tokens: sizes.append(len(tokens)))

    engine.warm_up()

    assert sizes[0] == 48
    assert engine.stats().used_blocks == 0


def test_a_model_that_fails_meanwhile_is_told_in_the_log(make_engine, caplog):
    engine = make_engine()

    def refuse(tokens):
        raise RuntimeError("bad kernel")

    before_forward(engine, refuse)
    engine.warm_up()

    assert "failed while warming up: RuntimeError" in caplog.text


@pytest.mark.parametrize(
    ("slots", "sizes"), [(1, [1]), (4, [1, 2, 4]), (6, [1, 2, 4, 6]), (16, [1, 2, 4, 8, 16])]
)
def test_batches_grow_by_doubling_up_to_every_slot(slots, sizes):
    assert batch_sizes(EngineConfig(max_num_seqs=slots)) == sizes
