"""LongChat's condensed rotary embedding against a computation by hand."""

import json
import math

import pytest
import torch
from transformers import AutoConfig, LlamaConfig
from transformers.models.llama.modeling_llama import LlamaRotaryEmbedding

from inference.loading.condensed import uncondense
from inference.loading.context import context_length_of
from inference.loading.loader import load_model
from tests.support.tiny_models import save_tiny_model

HEAD_SIZE = 16


def llama(**values):
    return LlamaConfig(hidden_size=4 * HEAD_SIZE, num_attention_heads=4, **values)


def angles_by_hand(positions, ratio):
    """Position over ratio times 10000^(-2i/d), as LongChat's authors describe it."""
    return [
        [position / ratio * 10000 ** (-2 * i / HEAD_SIZE) for i in range(HEAD_SIZE // 2)]
        for position in positions
    ]


@pytest.mark.parametrize("ratio", [4, 8])
def test_positions_are_divided_by_the_ratio(ratio):
    config = llama(max_position_embeddings=2048 * ratio, rope_condense_ratio=ratio)
    positions = [0, 1, 7, 2047, 2048, 2048 * ratio - 1]

    uncondense(config, "longchat-7b-16k")
    cosines, sines = LlamaRotaryEmbedding(config)(torch.zeros(1), torch.tensor([positions]))

    by_hand = torch.tensor(angles_by_hand(positions, ratio))
    torch.testing.assert_close(cosines[0, :, : HEAD_SIZE // 2], by_hand.cos(), atol=2e-4, rtol=0)
    torch.testing.assert_close(sines[0, :, : HEAD_SIZE // 2], by_hand.sin(), atol=2e-4, rtol=0)


@pytest.mark.parametrize(
    ("name", "values", "factor", "window"),
    [
        ("longchat-7b-16k", {"rope_condense_ratio": 8, "max_position_embeddings": 16384}, 8, 16384),
        ("a-copy-of-it", {"rope_condense_ratio": 8, "max_position_embeddings": 2048}, 8, 16384),
        ("lmsys/longchat-13b-16k", {"max_position_embeddings": 2048}, 8, 16384),
        ("/models/LongChat-7b-32k", {"max_position_embeddings": 32768}, 16, 32768),
    ],
)
def test_it_loads_as_linear_scaling(name, values, factor, window):
    config = llama(**values)

    uncondense(config, name)

    assert config.rope_parameters["rope_type"] == "linear"
    assert config.rope_parameters["factor"] == factor
    assert context_length_of(config) == window


@pytest.mark.parametrize(
    ("name", "values", "window"),
    [
        ("vicuna-7b-v1.5", {"max_position_embeddings": 4096}, 4096),
        (
            "longchat-7b-v1.5-32k",
            {
                "max_position_embeddings": 4096,
                "rope_parameters": {"rope_type": "linear", "factor": 8.0, "rope_theta": 1e4},
            },
            32768,
        ),
    ],
)
def test_what_is_not_condensed_or_says_so_itself_is_left_alone(name, values, window):
    config = llama(**values)
    before = dict(config.rope_parameters)

    uncondense(config, name)

    assert config.rope_parameters == before
    assert context_length_of(config) == window


def test_a_condensed_model_answers_as_the_linear_one(tmp_path):
    condensed = save_tiny_model(tmp_path / "condensed", context_length=2048)
    linear = save_tiny_model(tmp_path / "linear", context_length=2048)
    values = json.loads((condensed / "config.json").read_text())
    (condensed / "config.json").write_text(json.dumps({**values, "rope_condense_ratio": 8}))
    rope = {"rope_type": "linear", "factor": 8.0, "rope_theta": 1e4}
    (linear / "config.json").write_text(json.dumps({**values, "rope_parameters": rope}))
    tokens = torch.arange(4, 200)[None]

    loaded = load_model(str(condensed))
    expected = load_model(str(linear))

    assert loaded.context_length == expected.context_length == 16384
    scores = loaded.model(tokens).logits
    torch.testing.assert_close(scores, expected.model(tokens).logits)
    unscaled = save_tiny_model(tmp_path / "unscaled", context_length=2048)
    assert not math.isclose(
        float(scores.norm()), float(load_model(str(unscaled)).model(tokens).logits.norm())
    )
    assert AutoConfig.from_pretrained(unscaled).rope_parameters["rope_type"] == "default"
