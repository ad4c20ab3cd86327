"""What `--load-8bit` means on a CPU: the engine's own bytes where it has kernels for them."""

from pathlib import Path
from typing import Any

import pytest
from transformers import GPT2Config, GPT2LMHeadModel

from inference.bus.base import BusConfig
from inference.bus.local import LocalBus
from inference.conf import InferenceSettings
from inference.loading.options import LoadOptions
from inference.worker import own_weights
from inference.worker.model_specs import ModelSpec, host_model
from inference.worker.own_weights import kept_by_own_kernels, suits_own_kernels
from tests.support.quantized_models import write_config
from tests.support.tiny_models import byte_tokenizer, save_tiny_model


@pytest.fixture(scope="module")
def llama(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(save_tiny_model(tmp_path_factory.mktemp("models") / "tiny"))


def spec_of(path: str, **engine_options: Any) -> ModelSpec:
    return ModelSpec(
        path,
        ("tiny",),
        device="cpu",
        load_options={"load_8bit": True, "dtype": None},
        engine_options=engine_options,
    )


def test_a_known_shape_is_kept_in_bytes_by_the_engine(llama: str) -> None:
    changes = kept_by_own_kernels(spec_of(llama, threads=1), "cpu")

    assert changes["load_options"] == {"load_8bit": False, "dtype": None}
    assert changes["engine_options"] == {"weights": "int8", "threads": 1}


def test_another_shape_is_left_to_bitsandbytes(tmp_path: Path) -> None:
    config = GPT2Config(vocab_size=260, n_embd=16, n_layer=1, n_head=2, n_positions=64)
    GPT2LMHeadModel(config).save_pretrained(tmp_path)
    byte_tokenizer().save_pretrained(tmp_path)

    assert kept_by_own_kernels(spec_of(str(tmp_path)), "cpu") == {}


def test_what_is_asked_for_by_name_comes_first(llama: str) -> None:
    assert kept_by_own_kernels(spec_of(llama, weights="int4"), "cpu") == {}


@pytest.mark.parametrize(
    "options",
    [
        LoadOptions(),
        LoadOptions(load_4bit=True),
        LoadOptions(device="cuda", load_8bit=True),
        LoadOptions(device="cuda", load_8bit=True, cpu_offloading=True),
    ],
)
def test_it_is_for_eight_bits_on_a_cpu_alone(llama: str, options: LoadOptions) -> None:
    assert not suits_own_kernels(llama, options)


def test_weights_without_room_for_all_at_once_are_left_to_bitsandbytes(
    llama: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(own_weights, "free_bytes", lambda options: 100_000)

    assert not suits_own_kernels(llama, LoadOptions(load_8bit=True))


def test_weights_that_come_in_few_bits_are_left_as_they_are(tmp_path: Path) -> None:
    folder = save_tiny_model(tmp_path / "tiny")
    write_config(folder, quantization_config={"quant_method": "gptq", "bits": 4})

    assert not suits_own_kernels(str(folder), LoadOptions(load_8bit=True))


def test_the_engine_is_asked_for_its_own_bytes(llama: str) -> None:
    bus = LocalBus(BusConfig())

    host = host_model(spec_of(llama), bus=bus, settings=InferenceSettings(), on_fatal=pytest.fail)
    try:
        description = host.facts.description
    finally:
        host.close()
        bus.close()

    assert description.startswith("fused")
