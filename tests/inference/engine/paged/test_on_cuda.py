"""The same promises on a real device; skipped where there is none."""

import copy

import pytest
import torch

from inference.engine.config import EngineConfig
from inference.engine.llm_engine import LLMEngine
from inference.generation import SamplingParams
from tests.support.engine_runs import answer_together, naive_greedy
from tests.support.tiny_models import tiny_llama

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device"),
]

PROMPTS = [f"Tell me {number} things about rivers." for number in range(64)]
GREEDY = SamplingParams(temperature=0.0, max_tokens=24, ignore_eos=True)


@pytest.fixture(scope="module")
def model():
    # Heads of 64: kernels do not take smaller ones.
    return tiny_llama(hidden_size=256, heads=4, key_heads=2)


def engine_of(model, tokenizer, dtype, **settings):
    own = copy.deepcopy(model).to("cuda", dtype)
    config = EngineConfig(**{"name": "tiny", "context_length": 256, **settings})
    engine = LLMEngine(own, tokenizer, config)
    engine.warm_up()
    return engine


@pytest.mark.parametrize("graphs", [True, False], ids=["graphs", "kernels"])
def test_answers_are_those_of_generate(model, tokenizer, graphs):
    alone = [naive_greedy(model, tokenizer, prompt) for prompt in PROMPTS[:8]]
    engine = engine_of(model, tokenizer, torch.float32, max_num_seqs=8, cuda_graphs=graphs)

    assert answer_together(engine, PROMPTS[:8], GREEDY) == alone


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_graphs_change_no_answer(model, tokenizer, dtype):
    with_graphs = engine_of(model, tokenizer, dtype, max_num_seqs=8)
    without = engine_of(model, tokenizer, dtype, max_num_seqs=8, cuda_graphs=False)

    for prompt in PROMPTS[:8]:  # alone, so that both compute batches of one size
        assert answer_together(with_graphs, [prompt], GREEDY) == answer_together(
            without, [prompt], GREEDY
        )


@pytest.mark.parametrize("attention", ["flash3", "flash2", "varlen", "gathered", "flex", "rows"])
def test_what_is_named_is_used_or_gives_way_to_rows(model, tokenizer, attention):
    engine = engine_of(
        model, tokenizer, torch.bfloat16, max_num_seqs=16, attention=attention, kv_cache_tokens=8192
    )

    answers = answer_together(engine, PROMPTS[:16], GREEDY)

    assert [len(answer) for answer in answers] == [24] * 16


def test_sixty_four_streams_run_at_once(model, tokenizer):
    alone = [naive_greedy(model, tokenizer, prompt) for prompt in PROMPTS]
    engine = engine_of(model, tokenizer, torch.float32, max_num_seqs=64, max_batched_tokens=1024)

    assert answer_together(engine, PROMPTS, GREEDY) == alone
    assert engine.stats().used_blocks == 0
