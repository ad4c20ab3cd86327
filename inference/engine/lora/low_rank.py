"""A low-rank addition to a projection, and how those of sibling projections become one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from transformers import PreTrainedTokenizerBase


@dataclass(frozen=True, slots=True)
class LowRank:
    """What an adapter adds to a projection: x times `down` transposed times `up` transposed.

    Attributes:
        down: [rank, in].
        up: [out, rank], the adapter's scaling included.

    Source:
        Hu et al. 2021, "LoRA: Low-Rank Adaptation of Large Language Models", section 4.1.
    """

    down: Tensor
    up: Tensor

    def to(self, device: torch.device, dtype: torch.dtype) -> "LowRank":
        """Return the same factors on a device, in a number format."""
        return LowRank(self.down.to(device, dtype), self.up.to(device, dtype))

    def __call__(self, x: Tensor) -> Tensor:
        """Return the addition for rows x [M, in], [M, out]."""
        return x @ self.down.T @ self.up.T


@dataclass(frozen=True, slots=True)
class Adapter:
    """A fine-tuning of a model.

    Attributes:
        weights: what it adds, by the names of the modules it changes.
        tokenizer: of its own, whose chat template it was taught; None where it has the model's.
    """

    weights: Mapping[str, LowRank]
    tokenizer: PreTrainedTokenizerBase | None = None


def join_low_ranks(parts: Sequence[LowRank | None], widths: Sequence[int]) -> LowRank | None:
    """Make one addition of those to projections that share their input and lie side by side.

    The ranks add up, and `up` has a block for every part and zeros between.

    Args:
        parts: the addition to each projection; None where an adapter leaves one alone.
        widths: outputs of each projection.

    Returns:
        The addition to all of them; None where there is none to any.
    """
    present = [part for part in parts if part is not None]
    if not present:
        return None
    if len(parts) == 1:
        return present[0]
    down = torch.cat([part.down for part in present])
    up = present[0].up.new_zeros(sum(widths), len(down))
    row = column = 0
    for part, width in zip(parts, widths, strict=True):
        if part is not None:
            rank = len(part.down)
            up[row : row + width, column : column + rank] = part.up
            column += rank
        row += width
    return LowRank(down, up)
