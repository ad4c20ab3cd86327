import sys

import pytest
import torch

from inference.engine.cache_layouts import (
    ROW_BLOCK_SIZE,
    PagedLayout,
    layouts_for,
    with_block_size,
)
from inference.engine.config import EngineConfig
from inference.engine.paged.backends import backends_for
from inference.engine.paged.flash import FlashAttention2
from inference.engine.paged.gathered import GatheredAttention
from tests.support import pretend_flash

CUDA = torch.device("cuda")
AMPERE, HOPPER, TURING = (8, 0), (9, 0), (7, 5)


@pytest.fixture
def generation(monkeypatch):
    """Pretend that CUDA devices are of a generation."""

    def pretend(capability):
        monkeypatch.setattr("torch.cuda.get_device_capability", lambda device: capability)

    return pretend


@pytest.fixture
def without_packages(monkeypatch):
    for name in ("flash_attn", "flash_attn_interface"):
        monkeypatch.setitem(sys.modules, name, None)


def names(dtype=torch.bfloat16, **settings):
    config = EngineConfig(**settings)
    return [backend.name for backend in backends_for(CUDA, dtype, config)]


@pytest.mark.parametrize(
    ("capability", "expected"),
    [
        (HOPPER, ["flash-attn 3", "flash-attn 2", "torch varlen", "gathered pages"]),
        (AMPERE, ["flash-attn 2", "torch varlen", "gathered pages"]),
        (TURING, ["gathered pages"]),
    ],
)
def test_newer_devices_have_better_kernels(generation, monkeypatch, capability, expected):
    pretend_flash.install(monkeypatch)
    generation(capability)

    assert names() == expected


@pytest.mark.usefixtures("without_packages")
def test_what_is_not_installed_is_passed_over(generation):
    generation(HOPPER)

    assert names() == ["torch varlen", "gathered pages"]


def test_full_precision_is_for_torch_alone(generation, monkeypatch):
    pretend_flash.install(monkeypatch)
    generation(HOPPER)

    assert names(torch.float32) == ["gathered pages"]


def test_a_stated_block_size_rules_out_what_it_does_not_suit(generation, monkeypatch):
    pretend_flash.install(monkeypatch)
    generation(AMPERE)

    assert names(block_size=16) == ["torch varlen", "gathered pages"]
    assert names(block_size=512)[0] == "flash-attn 2"


@pytest.mark.parametrize(
    ("attention", "expected"),
    [("flex", ["flex attention"]), ("gathered", ["gathered pages"]), ("rows", [])],
)
def test_a_configuration_may_name_what_it_wants(attention, expected):
    assert names(attention=attention) == expected


def test_blocks_are_those_of_the_kernel_unless_stated(monkeypatch):
    pretend_flash.install(monkeypatch)
    layout = PagedLayout(FlashAttention2(), CUDA)

    assert with_block_size(EngineConfig(), layout).block_size == 256
    assert with_block_size(EngineConfig(block_size=512), layout).block_size == 512


def test_rows_are_the_only_layout_without_cuda(tiny_model):
    layouts = list(layouts_for(tiny_model, EngineConfig(attention="gathered")))

    assert [layout.name for layout in layouts] == ["rows"]
    assert with_block_size(EngineConfig(), layouts[0]).block_size == ROW_BLOCK_SIZE


def test_a_kernel_that_gives_other_scores_is_not_used(make_engine, monkeypatch, caplog):
    class Wrong(GatheredAttention):
        name = "wrong"

        def plan(self, inputs):
            mix = super().plan(inputs)
            return lambda query, keys, values, options: mix(query * 3, keys, values, options)

    def layouts(model, config):
        yield PagedLayout(Wrong(), torch.device("cpu"))
        yield PagedLayout(GatheredAttention(), torch.device("cpu"))

    monkeypatch.setattr("inference.engine.runner_choice.layouts_for", layouts)

    assert make_engine().describe().startswith("fused gathered pages runner")
    assert "over wrong: its scores would differ" in caplog.text
