"""Products with weights in 8 bits: whole numbers, one scale for every output channel."""

import torch
from torch import Tensor

LEVELS = 127
"""Weights and activations are whole numbers between plus and minus this."""

ZERO = 128
"""Where activations have their zero: the processor multiplies unsigned by signed bytes."""

SMALLEST = torch.finfo(torch.float32).tiny
LARGEST_INPUT = 2**31 // (255 * LEVELS)
"""Inputs whose products a 32-bit sum holds whatever they are."""


def quantize_channels(weight: Tensor) -> tuple[Tensor, Tensor]:
    """Return a weight as whole numbers and what one of them is worth in each output channel.

    Args:
        weight: [out, in].

    Returns:
        int8 [out, in] and float32 [out]; their product is the weight, each number within half a
        step of its channel.
    """
    weight = weight.float()
    scales = weight.abs().amax(dim=1).clamp_(min=SMALLEST) / LEVELS
    numbers = (weight / scales[:, None]).round_().clamp_(-LEVELS, LEVELS)
    return numbers.to(torch.int8), scales


class Int8Projection:
    """Weights and activations in 8 bits, for processors that multiply bytes.

    Every token is quantised by its own largest activation while it comes in. Sums are of whole
    numbers and therefore exact, so a token's result does not depend on what else is in the batch.
    Measured on an AVX512-VNNI core it is ahead of packed bfloat16 at every number of rows.

    Args:
        weight: [out, in], on CPU; not needed afterwards.
        bias: [out], or None.

    Source:
        Dettmers et al. 2022, "LLM.int8()", section 2.1: vector-wise quantisation. Outliers are
        not kept apart.
    """

    def __init__(self, weight: Tensor, bias: Tensor | None) -> None:
        numbers, self._scales = quantize_channels(weight)
        self._weight = torch.ops.onednn.qlinear_prepack(numbers, None)
        self._zeros = torch.zeros(len(numbers), dtype=torch.int32)
        self._bias = None if bias is None else bias.float()
        self.stored_bytes = numbers.numel() + self._scales.nbytes

    def __call__(self, x: Tensor) -> Tensor:
        """See `Projection`."""
        return self._project(x).to(x.dtype)

    def add_to(self, residual: Tensor, x: Tensor) -> Tensor:
        """See `Projection`."""
        return self._project(x).add_(residual).to(residual.dtype)

    def _project(self, x: Tensor) -> Tensor:
        """Project x [N, in] to float32 [N, out]."""
        x = x.float()
        size = torch.linalg.vector_norm(x, float("inf"), dim=-1, keepdim=True)
        size = size.clamp_(min=SMALLEST).div_(LEVELS)
        # Cutting the fraction off rounds, as half a step was added.
        numbers = (x / size).add_(ZERO + 0.5).to(torch.uint8)
        products: Tensor = torch.ops.onednn.qlinear_pointwise(
            numbers, 1.0, ZERO, self._weight, self._scales, self._zeros, None,
            1.0, 0, torch.float32, "none", [], "none",
        )  # fmt: skip
        if self._bias is None:
            return products.mul_(size)
        return torch.addcmul(self._bias, products, size)


class Int8WeightProjection:
    """Weights in 8 bits, activations in bfloat16: for every other processor.

    Measured on an AVX512 core it is ahead of packed bfloat16 up to 4 rows and behind from 8.

    Args:
        weight: [out, in], on CPU; not needed afterwards.
        bias: [out], or None.
    """

    def __init__(self, weight: Tensor, bias: Tensor | None) -> None:
        self._weight, scales = quantize_channels(weight)
        # The kernel for other activations is a plain loop, ten to twenty times slower.
        self._scales = scales.bfloat16()
        self._bias = bias
        self.stored_bytes = self._weight.nbytes + self._scales.nbytes

    def __call__(self, x: Tensor) -> Tensor:
        """See `Projection`."""
        products = torch._weight_int8pack_mm(x.bfloat16(), self._weight, self._scales).to(x.dtype)  # noqa: SLF001 (has no public name)
        return products if self._bias is None else products.add_(self._bias)

    def add_to(self, residual: Tensor, x: Tensor) -> Tensor:
        """See `Projection`."""
        return self(x).add_(residual)


def multiplies_bytes() -> bool:
    """Whether this processor has fast products of bytes."""
    found = torch.cpu.get_capabilities()
    return torch.backends.mkldnn.is_available() and bool(
        found.get("avx512_vnni") or found.get("amx_int8")
    )
