import copy

import pytest
import torch
from accelerate import cpu_offload, dispatch_model

from inference.engine import memory
from inference.engine.config import EngineConfig
from inference.engine.kv_cache import KVCache
from inference.engine.llm_engine import LLMEngine
from inference.engine.model_runner import PackedRunner, TransformersForward
from inference.engine.placement import input_device, is_shared, is_spread
from inference.engine.plain.runner import PlainRunner
from inference.engine.runner_choice import choose_runner
from inference.engine.sequence import Chunk, Sequence
from tests.support.architectures import model_of
from tests.support.engine_runs import answer_together, naive_greedy
from tests.support.pretend_devices import PretendDevices, put_module
from tests.support.tiny_models import byte_tokenizer, tiny_llama

PROMPTS = ["Hello!", "Tell me about the sea and the sky.", "x"]
FIRST, SECOND = "cuda:0", "cuda:1"
TWO_DEVICES = {
    "model.embed_tokens": FIRST,
    "model.rotary_emb": FIRST,
    "model.layers.0": FIRST,
    "model.layers.1": SECOND,
    "model.norm": SECOND,
    "lm_head": SECOND,
}
CONFIG = EngineConfig(
    max_num_seqs=4, max_batched_tokens=16, context_length=256, kv_cache_tokens=160, threads=1
)


def spread(model, device_map):
    """Put a model's parts on pretended devices, as `device_map` does it with real ones."""
    for name, device in device_map.items():
        put_module(model.get_submodule(name), device)
    return dispatch_model(model, device_map, main_device=FIRST)


FREE_BYTES = {FIRST: 10**9, SECOND: 10**6}


@pytest.fixture
def devices(monkeypatch):
    """Two devices that are not there, the second nearly full."""
    monkeypatch.setattr(memory, "UNCOUNTED", {"cpu", "cuda"})
    monkeypatch.setattr(memory, "available_bytes", lambda device: FREE_BYTES[str(device)])
    with torch.no_grad(), PretendDevices():
        yield


def test_a_model_over_two_devices_answers_as_on_one(devices):
    model = tiny_llama()
    own = [naive_greedy(copy.deepcopy(model), byte_tokenizer(), prompt) for prompt in PROMPTS]
    engine = LLMEngine(spread(model, TWO_DEVICES), byte_tokenizer(), CONFIG)

    answers = answer_together(engine, PROMPTS)

    assert answers == own
    assert engine.stats().preemptions > 0
    assert isinstance(engine._runner, PackedRunner)
    assert isinstance(engine._runner._forward, TransformersForward)


def test_each_layer_keeps_its_part_of_the_cache_on_its_own_device(devices):
    chosen = choose_runner(spread(tiny_llama(), TWO_DEVICES), CONFIG, context_length=256)

    engine_cache = chosen.cache
    assert isinstance(engine_cache, KVCache)
    _one_step(chosen.runner)

    assert [engine_cache.layer(number)[0].device for number in range(2)] == [
        torch.device(FIRST),
        torch.device(SECOND),
    ]
    assert set(engine_cache.bytes_per_token_on()) == {torch.device(FIRST), torch.device(SECOND)}
    assert sum(engine_cache.bytes_per_token_on().values()) == engine_cache.bytes_per_token


def test_the_fullest_device_decides_how_large_the_cache_is(devices):
    roomy = EngineConfig(max_num_seqs=64, max_batched_tokens=64, kv_memory_share=0.5)

    chosen = choose_runner(spread(tiny_llama(), TWO_DEVICES), roomy, context_length=256)
    _one_step(chosen.runner)

    on_second = chosen.cache.bytes_per_token_on()[torch.device(SECOND)]
    assert chosen.shape.tokens * on_second <= FREE_BYTES[SECOND] * 0.5
    assert chosen.shape.tokens < 64 * 256


def _one_step(runner):
    sequence = Sequence("a", [5, 6, 7], prompt_tokens=3, max_tokens=1, blocks=[0], runs=[(0, 1)])
    runner.compute([Chunk(sequence, 0, 3, scored=1)])


def test_a_model_that_runs_plainly_answers_over_two_devices(devices):
    model = model_of("falcon")
    own = naive_greedy(copy.deepcopy(model), byte_tokenizer(), "x")
    places = {
        "transformer.word_embeddings": FIRST,
        "transformer.rotary_emb": FIRST,
        "transformer.h.0": FIRST,
        "transformer.h.1": SECOND,
        "transformer.ln_f": SECOND,
        "lm_head": FIRST,
    }
    engine = LLMEngine(spread(model, places), byte_tokenizer(), CONFIG)

    (answer,) = answer_together(engine, ["x"])

    assert answer == own
    assert isinstance(engine._runner, PlainRunner)


def test_weights_that_wait_elsewhere_are_used_where_they_are_needed():
    model = tiny_llama()
    own = [naive_greedy(copy.deepcopy(model), byte_tokenizer(), prompt) for prompt in PROMPTS]
    offloaded = cpu_offload(model, execution_device=torch.device("cpu"))
    engine = LLMEngine(offloaded, byte_tokenizer(), CONFIG)

    assert next(offloaded.parameters()).device.type == "meta"
    assert input_device(offloaded) == torch.device("cpu")
    assert answer_together(engine, PROMPTS) == own


def test_a_model_on_one_device_is_not_spread():
    model = tiny_llama()

    assert not is_spread(model)
    assert not is_shared(model)
    assert input_device(model) == torch.device("cpu")
