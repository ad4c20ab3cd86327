"""LongChat's condensed rotary embedding, which is linear scaling under another name."""

import re
from typing import Any

from transformers import PreTrainedConfig

TRAINED_TOKENS = 2048
"""The window of the first Llama, which LongChat stretched."""

KEY = "rope_condense_ratio"
NAMED_WINDOW = re.compile(r"longchat.*?\b(\d{1,3})k\b", re.IGNORECASE)


def uncondense(config: PreTrainedConfig, name: str) -> None:
    """Write a condensed rotary embedding into a configuration as the linear scaling it is.

    LongChat divides positions by a ratio before it turns, and so does linear scaling by its
    factor. Its first models say the ratio under a key of their own; one that says nothing has it
    in its name, as the window over the 2,048 tokens of its base. The window before stretching is
    written too, as linear scaling has it.

    Args:
        config: changed in place where it is condensed and has no scaling yet.
        name: of the model.

    Source:
        Li et al. 2023, "How Long Can Open-Source LLMs Truly Promise on Context Length?".
    """
    rope: dict[str, Any] = dict(getattr(config, "rope_parameters", None) or {})
    ratio = _ratio(config, name)
    if ratio <= 1 or rope.get("rope_type", "default") != "default":
        return
    stated = getattr(config, "max_position_embeddings", TRAINED_TOKENS)
    config.rope_parameters = {**rope, "rope_type": "linear", "factor": ratio}
    config.max_position_embeddings = min(stated, max(TRAINED_TOKENS, int(stated / ratio)))


def _ratio(config: PreTrainedConfig, name: str) -> float:
    """By how much positions are condensed; 1 where they are not."""
    stated = getattr(config, KEY, None)
    if isinstance(stated, int | float):
        return float(stated)
    window = NAMED_WINDOW.search(name)
    return int(window[1]) * 1024 / TRAINED_TOKENS if window else 1.0
