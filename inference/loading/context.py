"""How many tokens a model's window has, read off its configuration."""

from typing import Any

from transformers import PreTrainedConfig

LENGTH_KEYS = (
    "max_position_embeddings",
    "max_sequence_length",
    "seq_length",
    "max_seq_len",
    "model_max_length",
)
DEFAULT_CONTEXT_LENGTH = 2048
STRETCHED_ROPE_TYPES = ("linear", "dynamic")
"""Rotary scalings that state the window before stretching; others state it after."""


def context_length_of(config: PreTrainedConfig) -> int:
    """Return the window in tokens; 2,048 where the configuration does not tell."""
    text_config: Any = config.get_text_config()
    found = (getattr(text_config, key, None) for key in LENGTH_KEYS)
    length = next((value for value in found if isinstance(value, int)), DEFAULT_CONTEXT_LENGTH)
    rope = getattr(text_config, "rope_parameters", None) or {}
    if rope.get("rope_type") in STRETCHED_ROPE_TYPES:
        length = int(length * float(rope.get("factor", 1.0)))
    return length
