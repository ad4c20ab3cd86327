import copy

import pytest
import torch
import transformers as hf

from inference.engine.config import EngineConfig
from inference.engine.llm_engine import LLMEngine
from inference.engine.model_runner import PackedRunner
from inference.engine.plain.runner import PlainRunner
from inference.exceptions import ModelLoadError
from tests.support.engine_runs import answer_together, naive_greedy

SHAPE = {
    "vocab_size": 260,
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 256,
    "bos_token_id": None,
    "eos_token_id": 1,
    "pad_token_id": 0,
}
WINDOWED = {**SHAPE, "head_dim": 8, "sliding_window": 20, "num_hidden_layers": 3}
EXPERTS = {**SHAPE, "num_experts_per_tok": 2}
GPT2 = {"vocab_size": 260, "n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 256}
OLDER = {
    "vocab_size": 260,
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "bos_token_id": 1,
    "eos_token_id": 1,
}
PACKED = {
    "llama": lambda: hf.LlamaConfig(**SHAPE),
    "qwen2": lambda: hf.Qwen2Config(**SHAPE),
    "qwen3": lambda: hf.Qwen3Config(**SHAPE, head_dim=16),
    "mistral": lambda: hf.MistralConfig(**SHAPE, sliding_window=20),
    "mixtral": lambda: hf.MixtralConfig(**EXPERTS, num_local_experts=4),
    "gemma2": lambda: hf.Gemma2Config(**WINDOWED, query_pre_attn_scalar=8),
    "gemma3": lambda: hf.Gemma3TextConfig(**WINDOWED, query_pre_attn_scalar=8),
    "phi3": lambda: hf.Phi3Config(**SHAPE),
    "olmo2": lambda: hf.Olmo2Config(**SHAPE),
    "gpt2": lambda: hf.GPT2Config(**GPT2, bos_token_id=1, eos_token_id=1),
    "gpt-neox": lambda: hf.GPTNeoXConfig(
        **OLDER, intermediate_size=64, max_position_embeddings=256
    ),
}
PLAIN = {
    "bloom": lambda: hf.BloomConfig(
        vocab_size=260, hidden_size=32, n_layer=2, n_head=4, bos_token_id=1, eos_token_id=1
    ),
    "falcon": lambda: hf.FalconConfig(**OLDER),
    "gpt-oss": lambda: hf.GptOssConfig(
        **WINDOWED, num_local_experts=4, num_experts_per_tok=2, rope_parameters=PLAIN_ROPE
    ),
}
PLAIN_ROPE = {"rope_type": "default", "rope_theta": 10_000.0}
SHORT = ["Hello!", "x"]
PROMPTS = ["Hello!", "Tell me about the sea and the sky.", "x"]


def random_model(config):
    """A model whose random weights are wide enough to say different things."""
    torch.manual_seed(0)
    model = hf.AutoModelForCausalLM.from_config(config).eval()
    for parameter in model.parameters():
        if parameter.dim() == 2:
            torch.nn.init.normal_(parameter, std=0.2)
    return model


def answers_of(config, tokenizer, *, runner):
    model = random_model(config)
    own = [naive_greedy(copy.deepcopy(model), tokenizer, prompt) for prompt in PROMPTS]
    settings = EngineConfig(
        name=config.model_type, max_num_seqs=4, max_batched_tokens=16, context_length=256, threads=1
    )
    engine = LLMEngine(model, tokenizer, settings)
    assert isinstance(engine._runner, runner)
    return answer_together(engine, PROMPTS), own


@pytest.mark.parametrize("name", PACKED)
def test_the_flat_batch_answers_as_the_model_does_alone(name, tokenizer):
    answers, own = answers_of(PACKED[name](), tokenizer, runner=PackedRunner)

    assert answers == own


@pytest.mark.parametrize("name", PACKED)
def test_answers_survive_preemption_and_begin_from_what_is_known(name, tokenizer):
    config = PACKED[name]()
    model = random_model(config)
    own = [naive_greedy(copy.deepcopy(model), tokenizer, prompt) for prompt in PROMPTS]
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

    crowded = answer_together(engine, PROMPTS)
    warm = [answer_together(engine, [prompt])[0] for prompt in PROMPTS]

    assert engine.stats().preemptions > 0
    assert engine.stats().cached_tokens > 0
    assert crowded == own
    assert warm == own


@pytest.mark.parametrize("name", PLAIN)
def test_a_model_the_flat_batch_misses_runs_plainly(name, tokenizer, caplog):
    answers, own = answers_of(PLAIN[name](), tokenizer, runner=PlainRunner)

    assert answers == own
    assert "without the flat batch" in caplog.text


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


def test_a_plain_model_that_was_preempted_begins_again_with_a_clean_memory(tokenizer):
    model = random_model(PLAIN["gpt-oss"]())
    own = [naive_greedy(copy.deepcopy(model), tokenizer, prompt) for prompt in SHORT]
    settings = EngineConfig(
        name="gpt-oss", max_num_seqs=4, context_length=64, kv_cache_tokens=80, threads=1
    )
    engine = LLMEngine(model, tokenizer, settings)

    answers = answer_together(engine, SHORT)

    assert engine.stats().preemptions > 0
    assert answers == own
    assert engine._runner.held_sequences == 0
