"""Scalings that depend on the length of a text: answers must not depend on their neighbours."""

import json

import pytest
import torch
from transformers import LlamaForCausalLM
from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS

from inference.engine.config import EngineConfig
from inference.engine.llm_engine import LLMEngine
from inference.generation import SamplingParams
from inference.loading.loader import load_model
from tests.support.engine_runs import drain, said
from tests.support.tiny_models import save_tiny_model

ORIGINAL = 64
HALF = 8  # of a head of 16
ROPES = {
    "dynamic": (ORIGINAL, {"rope_type": "dynamic", "factor": 4.0}),
    "longrope": (
        4 * ORIGINAL,
        {
            "rope_type": "longrope",
            "short_factor": [1.0] * HALF,
            "long_factor": [4.0] * HALF,
            "factor": 4.0,
            "original_max_position_embeddings": ORIGINAL,
        },
    ),
}


@pytest.fixture(params=ROPES)
def folder(request, tmp_path):
    """A model whose window is four times its original one."""
    length, rope = ROPES[request.param]
    folder = save_tiny_model(tmp_path / request.param)
    path = folder / "config.json"
    values = {**json.loads(path.read_text()), "max_position_embeddings": length}
    path.write_text(json.dumps({**values, "rope_parameters": {**rope, "rope_theta": 1e4}}))
    return folder


def answers(folder, *texts):
    loaded = load_model(str(folder))
    config = EngineConfig(context_length=loaded.context_length, max_num_seqs=4)
    engine = LLMEngine(loaded.model, loaded.tokenizer, config)
    for text in texts:
        params = SamplingParams(temperature=0, max_tokens=24, ignore_eos=True)
        engine.submit(text[:8], messages=said(text), params=params)
    return {name: [out.token for out in outputs] for name, outputs in drain(engine).items()}


def test_a_long_neighbour_does_not_change_a_short_answer(folder):
    short, long = "How are you?", "Tell me more. " * 10

    alone, together = answers(folder, short), answers(folder, short, long)

    assert load_model(str(folder)).context_length == 4 * ORIGINAL
    assert together[short[:8]] == alone[short[:8]]


def test_positions_are_turned_as_in_a_full_window(folder):
    rotary = load_model(str(folder)).model.model.rotary_emb
    expected, scaling = ROPE_INIT_FUNCTIONS[folder.name](rotary.config, seq_len=4 * ORIGINAL)

    torch.testing.assert_close(rotary.inv_freq, expected)
    assert rotary.attention_scaling == scaling


def test_in_the_original_window_scores_are_those_of_transformers(folder):
    tokens = torch.arange(4, 50)[None]

    settled = load_model(str(folder), context_length=ORIGINAL).model
    own = LlamaForCausalLM.from_pretrained(folder)

    torch.testing.assert_close(settled(tokens).logits, own(tokens).logits)


def test_a_full_window_has_the_scores_of_transformers(folder):
    tokens = (torch.arange(4 * ORIGINAL) % 250 + 4)[None]

    settled = load_model(str(folder)).model
    own = LlamaForCausalLM.from_pretrained(folder)

    torch.testing.assert_close(settled(tokens).logits, own(tokens).logits, atol=1e-4, rtol=1e-4)
