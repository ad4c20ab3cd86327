import copy

import pytest
import torch
import transformers as hf

from inference.engine.config import EngineConfig
from inference.engine.llm_engine import LLMEngine
from inference.exceptions import ModelLoadError
from inference.generation import SamplingParams
from tests.support.architectures import ARCHITECTURES, REUSING, SHAPE, model_of
from tests.support.engine_runs import answer_together, drain, naive_greedy, said, tokens_of

TOKENS = 16
GREEDY = SamplingParams(temperature=0.0, max_tokens=TOKENS, ignore_eos=True)
SHORT = ["Hello!", "x"]
PROMPTS = ["Hello!", "Tell me about the sea and the sky.", "x"]


def own_answers(model, tokenizer, prompts=PROMPTS):
    return [naive_greedy(copy.deepcopy(model), tokenizer, prompt, TOKENS) for prompt in prompts]


def answer_as_they_come(engine, prompts):
    """Answers to prompts of which each comes a few steps after the one before."""
    outputs = {}
    for number, prompt in enumerate(prompts):
        engine.submit(str(number), messages=said(prompt), params=GREEDY)
        for _ in range(3):
            for output in engine.step():
                outputs.setdefault(output.request_id, []).append(output)
    for request_id, rest in drain(engine).items():
        outputs.setdefault(request_id, []).extend(rest)
    return [tokens_of(outputs[str(number)]) for number in range(len(prompts))]


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_an_architecture_answers_in_company_as_the_model_does_alone(name, tokenizer):
    architecture = ARCHITECTURES[name]
    model = model_of(name)
    own = own_answers(model, tokenizer)
    settings = EngineConfig(
        name=name, max_num_seqs=4, max_batched_tokens=16, context_length=256, threads=1
    )

    engine = LLMEngine(model, tokenizer, settings)
    in_company = answer_as_they_come(engine, PROMPTS)
    alone = [answer_together(engine, [prompt], GREEDY)[0] for prompt in PROMPTS[1:2]]

    assert engine.describe().startswith(f"{architecture.way} runner")
    assert in_company == own
    assert alone == own[1:2]
    assert len({tuple(answer) for answer in own}) > 1


@pytest.mark.parametrize("name", REUSING)
def test_answers_survive_preemption_and_begin_from_what_is_known(name, tokenizer):
    model = model_of(name)
    own = own_answers(model, tokenizer)
    settings = EngineConfig(
        name=name,
        max_num_seqs=4,
        max_batched_tokens=16,
        context_length=128,
        kv_cache_tokens=128,
        block_size=4,
        threads=1,
    )
    engine = LLMEngine(model, tokenizer, settings)

    crowded = answer_together(engine, PROMPTS, GREEDY)
    warm = [answer_together(engine, [prompt], GREEDY)[0] for prompt in PROMPTS]

    assert engine.stats().preemptions > 0
    assert engine.stats().cached_tokens > 0
    assert crowded == own
    assert warm == own


@pytest.mark.parametrize("name", ["bloom", "mamba", "jamba"])
def test_a_plain_model_that_was_preempted_begins_again_with_a_clean_memory(name, tokenizer):
    model = model_of(name)
    own = own_answers(model, tokenizer, SHORT)
    settings = EngineConfig(
        name=name, max_num_seqs=4, context_length=64, kv_cache_tokens=64, block_size=8, threads=1
    )
    engine = LLMEngine(model, tokenizer, settings)

    answers = answer_together(engine, SHORT, GREEDY)

    assert engine.stats().preemptions > 0
    assert answers == own
    assert engine._runner.held_sequences == 0


class Moody(hf.LlamaForCausalLM):
    """A model that never gives the same scores twice."""

    def forward(self, *args, **kwargs):
        output = super().forward(*args, **kwargs)
        output.logits = torch.randn_like(output.logits)
        return output


def test_a_model_no_runner_fits_is_refused(tokenizer):
    model = Moody(hf.LlamaConfig(**SHAPE)).eval()

    with pytest.raises(ModelLoadError, match="cannot be served by this engine"):
        LLMEngine(model, tokenizer, EngineConfig(context_length=64))


def test_a_model_that_leaves_the_flat_batch_says_so(tokenizer, caplog):
    LLMEngine(model_of("bloom"), tokenizer, EngineConfig(context_length=64))

    assert "model is run by itself, without the flat batch: plain" in caplog.text


def test_a_model_that_states_no_window_asks_for_one(tokenizer):
    with pytest.raises(ModelLoadError, match="states no window; give a context length"):
        LLMEngine(model_of("mamba"), tokenizer, EngineConfig())
