"""Positions of decoder rows that differ in length, for decoders that look theirs up in a table.

Such a decoder counts the columns of its memory, padding included, so a short row would believe
that it is as long as the longest. Decoders with relative positions need nothing of this.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from inference.engine.plain.memory import Memory


@contextmanager
def own_positions(model: PreTrainedModel, memory: Memory) -> Iterator[None]:
    """Let every row of the next decoder step have the position its own length tells.

    Args:
        model: an encoder-decoder.
        memory: of the rows, before the step.
    """
    decoder: Any = model.get_decoder()
    table = getattr(decoder, "embed_positions", None)
    if not isinstance(table, nn.Module) or len(set(memory.lengths)) == 1:
        yield
        return
    handle = table.register_forward_hook(_look_up_row_by_row(memory), with_kwargs=True)
    try:
        yield
    finally:
        handle.remove()


def _look_up_row_by_row(memory: Memory) -> Any:
    """Make a hook that asks the table again, as each row alone would have asked."""

    def look_up(table: Any, args: tuple[Any, ...], kwargs: dict[str, Any], _: Any) -> Tensor:
        rows = []
        for row, length in enumerate(memory.lengths):

            def own(value: Any, row: int = row, length: int = length) -> Any:
                return _of_row(value, row, length, memory)

            asked = {name: own(value) for name, value in kwargs.items()}
            found = table.forward(*map(own, args), **asked)
            rows.append(found.reshape(1, 1, found.shape[-1]))
        return torch.cat(rows)  # [B, 1, W]

    return look_up


def _of_row(value: Any, row: int, length: int, memory: Memory) -> Any:
    """Return what one row alone would have given in place of what all rows gave.

    That is its own part of a batch, its own length for the width of all, and its own positions.
    """
    if isinstance(value, Tensor) and value.dim() >= 2:
        return value[row : row + 1]
    if isinstance(value, Tensor):
        return value - (memory.width - length)
    if isinstance(value, tuple):  # the shape of the tokens
        return (1, *value[1:])
    return length if value == memory.width and type(value) is int else value
