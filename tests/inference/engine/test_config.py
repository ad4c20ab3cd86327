import pytest

from inference.engine.config import EngineConfig


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("max_num_seqs", 0),
        ("max_waiting", 0),
        ("max_batched_tokens", 0),
        ("block_size", 0),
        ("context_length", 0),
        ("kv_cache_tokens", -1),
        ("threads", 0),
        ("kv_memory_share", 1.0),
        ("kv_cache_bytes", 0),
        ("max_batched_tokens", 8),
        ("max_waiting_s", 0.0),
        ("ageing_s", -1.0),
        ("max_prefilling", 0),
        ("draft_tokens", 0),
        ("speculation", "guess"),
    ],
)
def test_a_number_no_engine_can_run_with_is_refused(name, value):
    with pytest.raises(ValueError, match=name):
        EngineConfig(**{name: value})


def test_a_cache_smaller_than_the_window_narrows_the_window(make_engine, caplog):
    engine = make_engine(context_length=512, kv_cache_tokens=100)

    assert engine.context_length == 96  # whole blocks
    assert "its window is 96 instead of 512" in caplog.text
