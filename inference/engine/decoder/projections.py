"""Matrix products with a model's weights, in the memory layout that suits the processor."""

from collections.abc import Sequence
from typing import Protocol

import torch
import torch.nn.functional as F  # noqa: N812 (torch's own spelling)
from torch import Tensor, nn

PACKED_ROWS = 16
"""Rows that packed weights are laid out for; measured as good for 1 to 256."""


class Projection(Protocol):
    """x times the transpose of a weight [out, in], plus a bias where there is one.

    Attributes:
        stored_bytes: memory that the weight takes.
    """

    stored_bytes: int

    def __call__(self, x: Tensor) -> Tensor:
        """Project x [N, in] to [N, out]."""

    def add_to(self, residual: Tensor, x: Tensor) -> Tensor:
        """Return `residual` [N, out] plus the projection of x [N, in]."""


class DenseProjection:
    """The weight as it is.

    Args:
        weight: [out, in].
        bias: [out], or None.
    """

    def __init__(self, weight: Tensor, bias: Tensor | None) -> None:
        self.weight = weight
        self.bias = bias
        self.stored_bytes = weight.nbytes

    def __call__(self, x: Tensor) -> Tensor:
        """See `Projection`."""
        return F.linear(x, self.weight, self.bias)

    def add_to(self, residual: Tensor, x: Tensor) -> Tensor:
        """See `Projection`."""
        return F.linear(x, self.weight, self.bias).add_(residual)


class PackedProjection:
    """The weight in oneDNN's own order, which saves it the reordering at every call.

    Measured on an AVX512-BF16 core, 512 x 1536: single precision 1.2 to 2 times as fast as
    `F.linear` up to 32 rows, bfloat16 1.4 to 3 times.

    Args:
        weight: [out, in], on CPU; not needed afterwards.
        bias: [out], or None.

    Source:
        What Inductor does with frozen weights, `torch/_inductor/fx_passes/mkldnn_fusion.py`.
    """

    def __init__(self, weight: Tensor, bias: Tensor | None) -> None:
        self._weight = torch.ops.mkldnn._reorder_linear_weight(weight.contiguous(), PACKED_ROWS)  # noqa: SLF001 (has no public name)
        self._bias = bias
        self.stored_bytes = weight.nbytes

    def __call__(self, x: Tensor) -> Tensor:
        """See `Projection`."""
        result: Tensor = torch.ops.mkldnn._linear_pointwise(  # noqa: SLF001
            x, self._weight, self._bias, "none", [], ""
        )
        return result

    def add_to(self, residual: Tensor, x: Tensor) -> Tensor:
        """See `Projection`."""
        result: Tensor = torch.ops.mkldnn._linear_pointwise.binary(  # noqa: SLF001
            x, residual, self._weight, self._bias, "add"
        )
        return result

    def unpacked(self) -> Tensor:
        """Return the weight in the order it had, [out, in]."""
        weight: Tensor = self._weight.to_dense()
        return weight


def can_pack(weight: Tensor) -> bool:
    """Whether this processor computes packed weights of this precision fast."""
    if weight.device.type != "cpu" or not torch.backends.mkldnn.is_available():
        return False
    if weight.dtype == torch.bfloat16:
        return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())  # noqa: SLF001
    return weight.dtype == torch.float32


def join(linears: Sequence[nn.Linear]) -> DenseProjection:
    """Make one projection of several with the same input; their weights become parts of it."""
    weight = torch.cat([linear.weight.data for linear in linears])
    biases = [linear.bias for linear in linears if linear.bias is not None]
    bias = torch.cat([bias.data for bias in biases]) if biases else None
    start = 0
    for linear in linears:
        end = start + linear.out_features
        linear.weight = nn.Parameter(weight[start:end], requires_grad=False)
        if bias is not None:
            linear.bias = nn.Parameter(bias[start:end], requires_grad=False)
        start = end
    return DenseProjection(weight, bias)


def are_alike(linears: Sequence[nn.Module]) -> bool:
    """Whether modules are plain linear layers that `join` can make one of."""
    return (
        all(type(linear) is nn.Linear for linear in linears)
        and len({linear.bias is None for linear in linears}) == 1
        and len({(linear.weight.dtype, linear.weight.device) for linear in linears}) == 1
    )
