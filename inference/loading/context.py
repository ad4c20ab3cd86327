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

ORIGINAL_LENGTH = "original_max_position_embeddings"


def context_length_of(config: PreTrainedConfig) -> int:
    """Return the window in tokens; 2,048 where the configuration does not tell.

    Linear and dynamic scaling stretch the stated window by their factor. yarn stretches its
    original window, which some state and others leave as the window. longrope (once su), llama3,
    and scalings that differ by layer state the stretched window; mrope stretches nothing.
    """
    text_config: Any = config.get_text_config()
    found = (getattr(text_config, key, None) for key in LENGTH_KEYS)
    length = next((value for value in found if isinstance(value, int)), DEFAULT_CONTEXT_LENGTH)
    rope: dict[str, Any] = getattr(text_config, "rope_parameters", None) or {}
    factor = float(rope.get("factor") or 1.0)
    if rope.get("rope_type") in STRETCHED_ROPE_TYPES:
        return int(length * factor)
    if rope.get("rope_type") == "yarn":
        return max(length, int((rope.get(ORIGINAL_LENGTH) or length) * factor))
    return length
