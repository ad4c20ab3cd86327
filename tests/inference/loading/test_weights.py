"""What transformers is asked for: where weights go, in which form. No accelerator is needed."""

from types import SimpleNamespace

import pytest
import torch

from inference.loading import fitting, weights
from inference.loading.configuration import read_config
from inference.loading.options import LoadOptions
from tests.support.tiny_models import tiny_llama

GIB = 2**30
NOTHING_WRONG = {"mismatched_keys": set(), "missing_keys": set()}


@pytest.fixture
def asked(monkeypatch):
    """What `from_pretrained` was given; two cards with 10 and 20 GiB free, 40 GiB on the host."""
    given = {}

    def from_pretrained(place, **options):
        given.update(options, place=place)
        return tiny_llama(), NOTHING_WRONG

    def free(device):
        return (device.index + 1) * 10 * GIB if device.index is not None else 40 * GIB

    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda: True)
    monkeypatch.setattr("inference.loading.devices.available_bytes", free)
    monkeypatch.setattr(fitting, "available_bytes", free)
    monkeypatch.setattr(weights, "available_bytes", free)
    monkeypatch.setattr(
        weights, "auto_class_for", lambda config: SimpleNamespace(from_pretrained=from_pretrained)
    )
    return given


def load(folder, **options):
    weights.load_weights(folder, read_config(folder), LoadOptions(**options), window=128)


def test_one_device_takes_all(asked, model_folder):
    load(model_folder, device="cuda")

    assert asked["device_map"] == {"": "cuda"}
    assert asked["dtype"] is torch.bfloat16
    assert "max_memory" not in asked
    assert "quantization_config" not in asked


def test_only_safetensors_are_read_and_no_code_is_run(asked, model_folder):
    load(model_folder)

    assert asked["use_safetensors"] is True
    assert asked["trust_remote_code"] is False
    assert asked["place"] == model_folder


def test_several_devices_are_dealt_layers_by_what_is_free_on_each(asked, model_folder):
    load(model_folder, device="cuda", num_gpus=2)

    assert asked["device_map"] == "auto"
    assert asked["max_memory"] == {0: int(8.5 * GIB), 1: 17 * GIB}


def test_several_devices_take_no_more_than_they_may(asked, model_folder):
    load(model_folder, device="cuda", num_gpus=2, max_gpu_memory=13 * GIB)

    assert asked["max_memory"] == {0: 10 * GIB, 1: 13 * GIB}


def test_offloading_offers_the_memory_of_the_machine(asked, model_folder):
    load(model_folder, device="cuda", load_8bit=True, cpu_offloading=True)

    assert asked["max_memory"] == {0: int(8.5 * GIB), "cpu": 40 * GIB}
    assert asked["device_map"] == "auto"
    assert asked["quantization_config"].load_in_8bit
    assert asked["quantization_config"].llm_int8_enable_fp32_cpu_offload


def test_four_bits_are_normal_floats_with_constants_quantized_again(asked, model_folder):
    load(model_folder, device="cuda", load_4bit=True)

    chosen = asked["quantization_config"]
    assert (chosen.load_in_4bit, chosen.bnb_4bit_quant_type) == (True, "nf4")
    assert chosen.bnb_4bit_use_double_quant
    assert chosen.bnb_4bit_compute_dtype is torch.bfloat16
