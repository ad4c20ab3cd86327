"""Rotary embeddings that would change with the longest text in a batch, settled for one window."""

import logging
from typing import Any

import torch
from transformers import PreTrainedModel
from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS

logger = logging.getLogger(__name__)

RESTLESS = ("dynamic", "longrope")
"""Scalings that compute their frequencies anew when a text grows beyond the original window."""

SETTLED = "default"
"""What a module's `rope_type` says so that it keeps the frequencies it has."""


@torch.no_grad()
def settle_rotary(model: PreTrainedModel, window: int) -> None:
    """Give restless rotary embeddings the frequencies of a full window, once and for all.

    Left alone, one long text would turn all others of its step by other angles than the keys they
    have in the cache, and answers would depend on their neighbours. A window that the model was
    trained with keeps the frequencies it was trained with.

    Args:
        model: changed in place.
        window: longest text that is served, in tokens.

    Source:
        bloc97 2023 (dynamic NTK-aware scaling); Ding et al. 2024, "LongRoPE".
    """
    for module in model.modules():
        kind: Any = getattr(module, "rope_type", None)
        if not isinstance(kind, str) or kind not in RESTLESS:
            continue
        rotary: Any = module
        frequencies, scaling = ROPE_INIT_FUNCTIONS[kind](
            rotary.config, rotary.inv_freq.device, seq_len=window
        )
        rotary.inv_freq.copy_(frequencies)
        rotary.attention_scaling = scaling
        rotary.rope_type = SETTLED
        logger.info("positions are turned by %s as for a text of %d tokens", kind, window)
