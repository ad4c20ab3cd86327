import copy
from collections.abc import Callable

import pytest
import torch
from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

from inference.engine.config import EngineConfig
from inference.engine.llm_engine import LLMEngine
from tests.support.tiny_models import byte_tokenizer, tiny_llama

MakeEngine = Callable[..., LLMEngine]


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def tiny_model() -> LlamaForCausalLM:
    return tiny_llama()


@pytest.fixture(scope="session")
def tokenizer() -> PreTrainedTokenizerFast:
    return byte_tokenizer()


@pytest.fixture
def make_engine(tiny_model, tokenizer) -> MakeEngine:
    """Make an engine over a copy of the tiny model; keywords go to its configuration."""

    def make(**settings: object) -> LLMEngine:
        config = EngineConfig(**{"name": "tiny", "threads": 1, "block_size": 16, **settings})
        return LLMEngine(copy.deepcopy(tiny_model), tokenizer, config)

    return make
