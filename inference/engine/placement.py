"""Where a model lives: on one device, spread over several by layers, shared among processes."""

from typing import Any

import torch
from transformers import PreTrainedModel


def input_device(model: PreTrainedModel) -> torch.device:
    """Return the device a model takes its tokens on: that of its embedding.

    A weight that waits elsewhere until it is used has no memory of its own; then it is the device
    it will be used on.
    """
    embedding: Any = model.get_input_embeddings()
    device: torch.device = embedding.weight.device
    if device.type == "meta":
        device = torch.device(embedding._hf_hook.execution_device)  # noqa: SLF001 (accelerate's)
    return device


def is_spread(model: PreTrainedModel) -> bool:
    """Whether layers live on several devices, so that tensors travel between them."""
    places = getattr(model, "hf_device_map", {}).values()
    return len({str(place) for place in places}) > 1


def is_shared(model: PreTrainedModel) -> bool:
    """Whether other processes hold the rest of every weight."""
    return (model.tp_size or 1) > 1
