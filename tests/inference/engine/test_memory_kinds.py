import pytest
import torch
from transformers import AutoModelForCausalLM

from inference.engine.config import EngineConfig
from inference.engine.llm_engine import LLMEngine
from inference.engine.memory_kinds import attends_in_chunks, keeps_states, sees_all_keys
from tests.support.architectures import ARCHITECTURES, model_of


@pytest.mark.parametrize("name", ["mamba", "mamba2", "jamba", "zamba2", "qwen3_next", "lfm2"])
def test_a_configuration_tells_of_states(name):
    model = model_of(name)

    assert keeps_states(model)
    assert not sees_all_keys(model)


@pytest.mark.parametrize("name", ["llama", "gemma2", "deepseek_v3", "gpt2", "bloom"])
def test_a_configuration_tells_of_keys_and_values(name):
    assert sees_all_keys(model_of(name))


def test_a_configuration_tells_of_chunks():
    assert attends_in_chunks(model_of("llama4_text"))


@pytest.mark.parametrize(
    ("name", "way"),
    [
        ("bloom", "plain"),
        ("falcon", "plain"),
        ("gptj", "plain"),
        ("mamba", "plain (whole prompts)"),
        ("mamba2", "plain (whole prompts)"),
        ("jamba", "plain (whole prompts)"),
        ("rwkv", "plain (one at a time)"),
    ],
)
def test_low_precision_hides_nothing_of_what_a_model_remembers(name, way, tokenizer):
    torch.manual_seed(0)  # with usual weights most scores hardly depend on what came before
    model = AutoModelForCausalLM.from_config(ARCHITECTURES[name].make_config()).eval()

    engine = LLMEngine(model.to(torch.bfloat16), tokenizer, EngineConfig(context_length=64))

    assert engine.describe().startswith(f"{way} runner")
