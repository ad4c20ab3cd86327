import copy

import pytest
import torch
from torch import nn

from inference.engine.decoder.fusing import fuse, pack
from inference.engine.decoder.int4 import GROUPS, Int4Projection, can_take, quantize_groups
from inference.engine.decoder.int8 import (
    Int8Projection,
    Int8WeightProjection,
    multiplies_bytes,
    quantize_channels,
)
from inference.engine.decoder.weight_layouts import lay_int4, lay_int8
from tests.support.tiny_models import tiny_llama

needs_bytes = pytest.mark.skipif(
    not multiplies_bytes(), reason="this processor has no fast products of bytes"
)
EIGHT_BITS = [pytest.param(Int8Projection, marks=needs_bytes), Int8WeightProjection]
MAKERS = {
    "int8": pytest.param(Int8Projection, 0.02, marks=needs_bytes),
    "int8 weights": pytest.param(Int8WeightProjection, 0.02),
    "int4": pytest.param(Int4Projection, 0.12),
}


def weight_of(outputs: int, inputs: int) -> torch.Tensor:
    torch.manual_seed(0)
    sizes = torch.linspace(0.1, 4, outputs)[:, None]  # channels of very different sizes
    return torch.randn(outputs, inputs) * 0.05 * sizes


def error_of(found: torch.Tensor, exact: torch.Tensor) -> float:
    return float((found.float() - exact).norm() / exact.norm())


def test_a_channel_is_kept_within_half_a_step():
    weight = weight_of(48, 64)

    numbers, scales = quantize_channels(weight)

    assert numbers.dtype == torch.int8
    assert bool(((numbers * scales[:, None] - weight).abs() <= scales[:, None] * 0.501).all())


@pytest.mark.parametrize("group", GROUPS)
def test_a_group_is_kept_within_half_a_step_and_its_ends_exactly(group):
    weight = weight_of(16, 256)

    numbers, scales_and_zeros = quantize_groups(weight, group)

    scale, zero = scales_and_zeros.transpose(0, 1).unbind(dim=-1)
    each = (numbers.view(16, -1, group) - 8) * scale[..., None] + zero[..., None]
    groups = weight.view(16, -1, group)
    assert bool(((each - groups).abs() <= scale[..., None] * 0.501).all())
    torch.testing.assert_close(each.amax(dim=-1), groups.amax(dim=-1))
    torch.testing.assert_close(each.amin(dim=-1), groups.amin(dim=-1))


@pytest.mark.parametrize(("make", "bound"), MAKERS.values(), ids=MAKERS)
@pytest.mark.parametrize("rows", [1, 3, 40])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_products_are_near_the_exact_ones(make, bound, rows, dtype):
    weight = weight_of(48, 128)
    bias = torch.randn(48).to(dtype)
    x = torch.randn(rows, 128).to(dtype)
    projection = make(weight.to(dtype), bias)

    found = projection(x)

    exact = x.float() @ weight.T
    assert found.dtype == dtype
    assert error_of(found - bias, exact) < bound + (0.0 if dtype == torch.float32 else 0.02)


@pytest.mark.parametrize(("make", "bound"), MAKERS.values(), ids=MAKERS)
def test_a_residual_is_added(make, bound):
    projection = make(weight_of(48, 128), None)
    x, residual = torch.randn(5, 128), torch.randn(5, 48)
    kept = residual.clone()

    found = projection.add_to(residual, x)

    torch.testing.assert_close(found, kept + projection(x))
    torch.testing.assert_close(residual, kept)


@needs_bytes
def test_a_token_gets_the_same_numbers_whatever_is_beside_it():
    projection = Int8Projection(weight_of(33, 77), None)
    x = torch.randn(9, 77) * torch.logspace(-3, 3, 9)[:, None]

    together = projection(x)

    alone = torch.cat([projection(row) for row in x.split(1)])
    assert torch.equal(together, alone)


@pytest.mark.parametrize("make", EIGHT_BITS)
def test_zeros_stay_zeros(make):
    projection = make(torch.zeros(16, 32), None)

    assert torch.equal(projection(torch.randn(2, 32)), torch.zeros(2, 16))
    assert torch.equal(make(torch.randn(16, 32), None)(torch.zeros(2, 32)), torch.zeros(2, 16))


@needs_bytes
def test_what_is_no_number_does_not_become_one():
    projection = Int8Projection(torch.randn(16, 32), None)
    x = torch.randn(3, 32)
    x[1, 4] = float("nan")

    found = projection(x)

    assert found.isnan().any(dim=1).tolist() == [False, True, False]


@pytest.mark.parametrize(("outputs", "inputs"), [(40, 64), (48, 65), (7, 5)])
def test_a_shape_that_four_bits_cannot_divide_gets_eight(outputs, inputs):
    weight = weight_of(outputs, inputs)

    projection = lay_int4(weight, None)

    assert not can_take(weight)
    assert isinstance(projection, Int8Projection | Int8WeightProjection)
    x = torch.randn(2, inputs)
    assert error_of(projection(x), x @ weight.T) < 0.03


def test_without_products_of_bytes_only_weights_have_eight_bits(monkeypatch):
    monkeypatch.setattr(torch.cpu, "get_capabilities", dict)

    assert isinstance(lay_int8(torch.randn(16, 32), None), Int8WeightProjection)


@pytest.mark.parametrize(("weights", "share"), [("int8", 0.3), ("int4", 0.25)])
def test_packing_in_fewer_bits_tells_what_it_saved(weights, share):
    model = tiny_llama()
    linears = [module for module in model.modules() if isinstance(module, nn.Linear)]
    whole = sum(linear.weight.nbytes for linear in linears)
    decoder = fuse(model)

    saved = pack(model, decoder, weights)

    kept = [decoder.head]
    for layer in decoder.layers:
        kept += [layer.queries_keys_values, layer.output, layer.gate_and_up, layer.down]
    assert saved == whole - sum(projection.stored_bytes for projection in kept)
    assert saved > (1 - share) * whole
    assert all(linear.weight.numel() == 0 for linear in linears)


def test_four_bits_leave_the_head_eight():
    model = tiny_llama()
    decoder = fuse(copy.deepcopy(model))

    pack(model, decoder, "int4")

    assert isinstance(decoder.layers[0].down, Int4Projection)
    assert isinstance(decoder.head, Int8Projection | Int8WeightProjection)
