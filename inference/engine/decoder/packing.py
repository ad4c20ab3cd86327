"""Packed weights for models that compute by themselves: every plain linear layer, one by one."""

from collections import Counter
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from inference.engine.decoder.projections import PackedProjection, can_pack
from inference.engine.placement import is_shared, is_spread


@dataclass(frozen=True, slots=True)
class PackedLinear:
    """A linear layer of a model whose product is computed with packed weights.

    Attributes:
        linear: the layer; its own weight is empty unless somebody else needs it.
        projection: what computes.
        keeps_weight: whether the layer still has its weight.
    """

    linear: nn.Linear
    projection: PackedProjection
    keeps_weight: bool

    def restore(self) -> None:
        """Give the layer its own weight and computation back."""
        del self.linear.forward  # what hid the one of its class
        if not self.keeps_weight:
            self.linear.weight = nn.Parameter(self.projection.unpacked(), requires_grad=False)


def pack_linears(model: PreTrainedModel) -> list[PackedLinear]:
    """Let every plain linear layer of a model compute with packed weights, where that pays.

    The layers' own weights are let go one by one; empty ones stay in their place, of the same
    number format and device. A weight that several modules share, such as a tied head, stays.

    Returns:
        The layers, to be restored should the model turn out to need its weights itself.
    """
    if is_shared(model) or is_spread(model) or getattr(model, "hf_quantizer", None) is not None:
        return []
    owners = Counter(
        id(parameter) for _, parameter in model.named_parameters(remove_duplicate=False)
    )
    return [
        _pack(module, keeps_weight=owners[id(module.weight)] > 1)
        for module in list(model.modules())
        if type(module) is nn.Linear and can_pack(module.weight)
    ]


def _pack(linear: nn.Linear, *, keeps_weight: bool) -> PackedLinear:
    bias = None if linear.bias is None else linear.bias.data
    projection = PackedProjection(linear.weight.data, bias)
    linear.forward = projection.__call__  # type: ignore[method-assign, assignment]  # its own alone
    if not keeps_weight:
        empty: Tensor = linear.weight.data.new_empty(0)
        linear.weight = nn.Parameter(empty, requires_grad=False)
    return PackedLinear(linear, projection, keeps_weight)


def restore_linears(packed: list[PackedLinear]) -> None:
    """Give layers their own weights back, as they were."""
    with torch.inference_mode(mode=False):
        for layer in packed:
            layer.restore()
