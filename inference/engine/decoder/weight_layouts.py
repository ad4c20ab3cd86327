"""How weights are laid out on CPU: as they are, packed, or in fewer bits."""

from collections.abc import Callable

from torch import Tensor

from inference.engine.config import Weights
from inference.engine.decoder.int4 import Int4Projection, can_take
from inference.engine.decoder.int8 import (
    LARGEST_INPUT,
    Int8Projection,
    Int8WeightProjection,
    multiplies_bytes,
)
from inference.engine.decoder.projections import PackedProjection, Projection, can_pack

Lay = Callable[[Tensor, Tensor | None], Projection | None]
"""Makes a projection of a weight [out, in] and a bias; None leaves the weight as it is."""


def lay_packed(weight: Tensor, bias: Tensor | None) -> Projection | None:
    """Put the exact weight into the order that the processor reads fastest."""
    return PackedProjection(weight, bias) if can_pack(weight) else None


def lay_int8(weight: Tensor, bias: Tensor | None) -> Projection | None:
    """Store the weight in 8 bits, by the kernel that this processor computes fastest."""
    if multiplies_bytes() and weight.shape[1] <= LARGEST_INPUT:
        return Int8Projection(weight, bias)
    return Int8WeightProjection(weight, bias)


def lay_int4(weight: Tensor, bias: Tensor | None) -> Projection | None:
    """Store the weight in 4 bits, or in 8 where its shape does not divide into groups."""
    return Int4Projection(weight, bias) if can_take(weight) else lay_int8(weight, bias)


LAYS: dict[Weights, Lay] = {"as_loaded": lay_packed, "int8": lay_int8, "int4": lay_int4}
HEAD_LAYS: dict[Weights, Lay] = {**LAYS, "int4": lay_int8}
"""The same for the head, whose errors go straight into the scores."""
