"""Draft models for tests: copies of a model that agree with it more or less often."""

import copy

import torch
from transformers import PreTrainedModel


def unsure_copy(model: PreTrainedModel, *, noise: float = 0.05, seed: int = 1) -> PreTrainedModel:
    """Return a copy whose weights are off by so much of their size; without noise it is equal."""
    unsure = copy.deepcopy(model)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in unsure.parameters():
            if parameter.dim() == 2 and noise:
                drift = torch.randn(parameter.shape, generator=generator)
                parameter.add_(drift * parameter.std() * noise)
    return unsure
