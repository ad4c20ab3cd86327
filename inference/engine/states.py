"""The states a decoder computes on its way to scores, read off while it runs."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn
from transformers import PreTrainedModel


@contextmanager
def watched_states(model: PreTrainedModel) -> Iterator[list[Tensor]]:
    """Collect the states after the last norm, [B, T, W], of every forward pass inside.

    The scores stay what they are, as the model computes its head itself.

    Args:
        model: a decoder with its head.
    """
    states: list[Tensor] = []

    def keep(_module: nn.Module, _arguments: Any, output: Any) -> None:
        states.append(output.last_hidden_state)

    handle = model.base_model.register_forward_hook(keep)
    try:
        yield states
    finally:
        handle.remove()
