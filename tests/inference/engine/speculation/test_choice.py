import pytest

from inference.engine.config import EngineConfig
from inference.engine.sampler import Sampler
from inference.engine.speculation.choice import beside_draft_model, make_speculator
from tests.support.tiny_models import tiny_llama


def chosen(speculation, *, draft_model=None, can_take_back=True):
    return make_speculator(
        EngineConfig(speculation=speculation),
        Sampler(),
        draft_model=draft_model,
        context_length=128,
        cache_tokens=512,
        vocabulary_size=260,
        can_take_back=can_take_back,
    )


def test_it_is_off_unless_somebody_asks():
    assert EngineConfig().speculation == "off"
    assert chosen("off") is None


def test_a_model_that_cannot_take_back_what_it_read_runs_without(caplog):
    assert chosen("prompt_lookup", can_take_back=False) is None
    assert "runs without speculation" in caplog.text


@pytest.mark.parametrize(("speculation", "is_given"), [("draft", False), ("prompt_lookup", True)])
def test_a_draft_model_and_its_use_belong_together(speculation, is_given):
    with pytest.raises(ValueError, match="draft model"):
        chosen(speculation, draft_model=tiny_llama() if is_given else None)


def test_two_caches_of_as_many_tokens_share_the_memory():
    large, small = tiny_llama(layers=3), tiny_llama(layers=1)

    by_share = beside_draft_model(EngineConfig(kv_memory_share=0.4), large, small)
    by_default = beside_draft_model(EngineConfig(), large, small)
    by_size = beside_draft_model(EngineConfig(kv_cache_bytes=1000), large, small)
    alone = beside_draft_model(EngineConfig(), large, None)

    assert by_share.kv_memory_share == pytest.approx(0.3)
    assert by_default.kv_memory_share == pytest.approx(0.225)
    assert by_size.kv_cache_bytes == 750
    assert alone == EngineConfig()
