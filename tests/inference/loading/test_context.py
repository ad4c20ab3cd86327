import pytest
from transformers import GPT2Config, LlamaConfig, PreTrainedConfig

from inference.loading.context import context_length_of


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        (LlamaConfig(max_position_embeddings=4096), 4096),
        (GPT2Config(n_positions=1024), 1024),
        (PreTrainedConfig(), 2048),
        (PreTrainedConfig(seq_length=8192), 8192),
        (
            LlamaConfig(
                max_position_embeddings=4096,
                rope_parameters={"rope_type": "linear", "factor": 4.0, "rope_theta": 1e4},
            ),
            16384,
        ),
    ],
)
def test_the_window_is_read_off_the_configuration(config, expected):
    assert context_length_of(config) == expected
