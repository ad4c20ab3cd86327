import json

import pytest
from transformers import (
    GemmaConfig,
    GPT2Config,
    LlamaConfig,
    MptConfig,
    PreTrainedConfig,
)

from inference.loading.configuration import read_config
from inference.loading.context import context_length_of

EIGHT = [1.0] * 8  # half a head of 16


def read(tmp_path, **values):
    """A configuration as it comes from a folder, older keys and all."""
    shape = {"hidden_size": 64, "num_attention_heads": 4, "num_hidden_layers": 1}
    (tmp_path / "config.json").write_text(json.dumps({**shape, **values}))
    return read_config(tmp_path)


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        (LlamaConfig(max_position_embeddings=4096), 4096),
        (GemmaConfig(max_position_embeddings=8192), 8192),
        (GPT2Config(n_positions=1024), 1024),
        (MptConfig(max_seq_len=8192), 8192),
        (PreTrainedConfig(), 2048),
        (PreTrainedConfig(seq_length=8192), 8192),
        (PreTrainedConfig(max_sequence_length=1000, seq_length=8192), 1000),
    ],
)
def test_the_window_is_read_off_the_configuration(config, expected):
    assert context_length_of(config) == expected


LLAMA3 = {"low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 8192}
ROPES = {
    "default": ("llama", 4096, {"rope_type": "default"}, 4096),
    "vicuna 16k": ("llama", 4096, {"type": "linear", "factor": 4.0}, 16384),
    "dynamic": ("llama", 4096, {"type": "dynamic", "factor": 2.0}, 8192),
    "yarn, from the window": ("llama", 32768, {"type": "yarn", "factor": 4.0}, 131072),
    "yarn, as Qwen states it": (
        "qwen2",
        32768,
        {"type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32768},
        131072,
    ),
    "yarn, as DeepSeek states it": (
        "llama",
        163840,
        {"type": "yarn", "factor": 40, "original_max_position_embeddings": 4096},
        163840,
    ),
    "llama3": ("llama", 131072, {"rope_type": "llama3", "factor": 32.0, **LLAMA3}, 131072),
    "longrope": (
        "llama",
        131072,
        {
            "rope_type": "longrope",
            "short_factor": EIGHT,
            "long_factor": EIGHT,
            "original_max_position_embeddings": 4096,
        },
        131072,
    ),
    "mrope": ("qwen2", 32768, {"type": "mrope", "mrope_section": [2, 3, 3]}, 32768),
}


@pytest.mark.parametrize(("kind", "stated", "rope", "expected"), ROPES.values(), ids=ROPES.keys())
@pytest.mark.parametrize("key", ["rope_scaling", "rope_parameters"])
def test_every_rotary_scaling_stretches_the_window_as_it_means(
    tmp_path, key, kind, stated, rope, expected
):
    config = read(tmp_path, model_type=kind, max_position_embeddings=stated, **{key: dict(rope)})

    assert context_length_of(config) == expected


def test_phi_calls_longrope_su(tmp_path):
    rope = {"type": "su", "short_factor": EIGHT, "long_factor": EIGHT}
    config = read(
        tmp_path,
        model_type="phi3",
        max_position_embeddings=131072,
        original_max_position_embeddings=4096,
        rope_scaling=rope,
    )

    assert config.rope_parameters["rope_type"] == "longrope"
    assert context_length_of(config) == 131072


def test_scalings_by_layer_leave_the_stated_window(tmp_path):
    config = read(
        tmp_path,
        model_type="gemma3_text",
        max_position_embeddings=131072,
        rope_parameters={
            "full_attention": {"rope_type": "linear", "factor": 8.0, "rope_theta": 1e6},
            "sliding_attention": {"rope_type": "default", "rope_theta": 1e4},
        },
    )

    assert context_length_of(config) == 131072
