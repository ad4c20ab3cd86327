"""Weights that come in few bits: compressed-tensors for real, others by what is asked of them."""

import json
import types

import pytest
import torch
import transformers
from transformers import AwqConfig, GPTQConfig, LlamaConfig

from inference.engine.config import EngineConfig
from inference.engine.llm_engine import LLMEngine
from inference.exceptions import ModelLoadError
from inference.loading import prequantized, weights
from inference.loading.loader import load_model
from inference.loading.options import LoadOptions
from inference.loading.prequantized import quantize_by_checkpoint
from inference.loading.quantized_checkpoint import QuantizedCheckpoint, checkpoint_file
from tests.support.engine_runs import GREEDY, drain, said
from tests.support.quantized_models import pack_weights, write_config
from tests.support.tiny_models import save_tiny_model, tiny_llama

GPTQ = QuantizedCheckpoint("gptq", 4, 128, by_activation=True)
AWQ = QuantizedCheckpoint("awq", 4, 128)


@pytest.fixture
def folder(tmp_path):
    return save_tiny_model(tmp_path / "tiny")


@pytest.fixture
def with_packages(monkeypatch):
    """Every package is installed, as far as anybody looks."""
    monkeypatch.setattr(prequantized, "find_spec", lambda name: types.SimpleNamespace(name=name))


def settings_of(config):
    return config.quantization_config


@pytest.mark.parametrize("bits", [4, 8])
def test_a_compressed_checkpoint_gives_the_scores_of_the_weights_it_means(folder, bits):
    meant = tiny_llama()
    meant.load_state_dict(pack_weights(folder, bits=bits))
    tokens = torch.arange(4, 60)[None]

    loaded = load_model(str(folder), dtype="float32")

    assert torch.equal(loaded.model(tokens).logits, meant(tokens).logits)


def test_a_compressed_checkpoint_is_computed_the_fast_way_and_answers(folder):
    pack_weights(folder, bits=4)
    loaded = load_model(str(folder))

    engine = LLMEngine(loaded.model, loaded.tokenizer, EngineConfig(context_length=128))
    engine.submit("a", messages=said("Hi"), params=GREEDY)

    assert engine.describe().startswith("fused")
    assert len(drain(engine)["a"]) == GREEDY.max_tokens


def test_floats_of_a_byte_are_left_to_the_kernels_of_an_accelerator(folder):
    pack_weights(folder, bits=8)
    config = LlamaConfig.from_pretrained(folder)
    config.quantization_config["config_groups"]["group_0"]["weights"]["type"] = "float"

    found = quantize_by_checkpoint(config, folder, LoadOptions(device="cuda"))

    assert found.dense_bits is None
    assert settings_of(config)["use_optimized_inference"]


@pytest.mark.parametrize(
    ("checkpoint", "config_class"), [(GPTQ, GPTQConfig), (AWQ, AwqConfig)], ids=["gptq", "awq"]
)
def test_flags_become_what_transformers_reads(with_packages, folder, checkpoint, config_class):
    config = LlamaConfig.from_pretrained(folder)
    options = LoadOptions(checkpoint=checkpoint, enable_exllama=True)

    quantize_by_checkpoint(config, folder, options)

    read = config_class.from_dict(dict(settings_of(config)))
    assert (read.quant_method.value, read.bits, read.group_size) == (checkpoint.method, 4, 128)
    assert str(getattr(read.backend, "value", read.backend)) == "exllama_v2"
    assert read.desc_act is checkpoint.by_activation
    quantizer = transformers.quantizers.auto.AUTO_QUANTIZER_MAPPING[read.quant_method.value]
    assert quantizer is not None


@pytest.mark.parametrize(
    ("name", "values", "expected"),
    [
        (
            "quantize_config.json",
            {"bits": 4, "group_size": 128, "desc_act": True, "sym": False, "damp_percent": 0.1},
            {
                "quant_method": "gptq",
                "bits": 4,
                "group_size": 128,
                "desc_act": True,
                "sym": False,
            },
        ),
        (
            "quant_config.json",
            {"zero_point": True, "q_group_size": 64, "w_bit": 4, "version": "GEMM"},
            {
                "quant_method": "awq",
                "bits": 4,
                "group_size": 64,
                "zero_point": True,
                "version": "GEMM",
            },
        ),
    ],
)
def test_what_older_quantizers_wrote_beside_the_configuration_counts(
    with_packages, folder, name, values, expected
):
    (folder / name).write_text(json.dumps(values))
    config = LlamaConfig.from_pretrained(folder)

    quantize_by_checkpoint(config, folder, LoadOptions())

    assert settings_of(config) == expected


@pytest.mark.parametrize(
    ("method", "words"),
    [
        ("gptq", "pip install optimum gptqmodel"),
        ("awq", "pip install gptqmodel"),
        ("hqq", "pip install hqq"),
        ("aqlm", r"pip install 'aqlm\[gpu,cpu\]'"),
        ("exl2", "no loader in transformers"),
    ],
)
def test_a_missing_package_is_named(folder, method, words):
    write_config(folder, quantization_config={"quant_method": method, "bits": 4})

    with pytest.raises(ModelLoadError, match=words):
        load_model(str(folder))


@pytest.mark.parametrize(
    ("own", "options", "words"),
    [
        ({"quant_method": "gptq", "bits": 4}, {"load_8bit": True}, "quantized already"),
        ({"quant_method": "gptq", "bits": 8}, {"checkpoint": GPTQ}, "not gptq with 4"),
        ({"quant_method": "awq", "bits": 4}, {"checkpoint": GPTQ}, "says awq"),
        ({"quant_method": "hqq"}, {"enable_exllama": True}, "not for hqq"),
        (None, {"enable_exllama": True}, "has none"),
    ],
)
def test_what_contradicts_the_configuration_is_refused(with_packages, folder, own, options, words):
    if own is not None:
        write_config(folder, quantization_config=own)
    config = LlamaConfig.from_pretrained(folder)

    with pytest.raises(ModelLoadError, match=words):
        quantize_by_checkpoint(config, folder, LoadOptions(**options))


def test_weights_may_have_a_name_and_a_folder_of_their_own(folder, tmp_path, monkeypatch):
    (tmp_path / "other").mkdir()
    file = (folder / "model.safetensors").rename(tmp_path / "other" / "4bit-128g.safetensors")
    # No kernels of GPTQ are here, so the weights are plain ones and nobody says otherwise.
    monkeypatch.setattr(weights, "quantize_by_checkpoint", lambda *_: None)
    checkpoint = QuantizedCheckpoint("gptq", 4, weights=str(file))

    model = load_model(str(folder), checkpoint=checkpoint).model

    assert torch.equal(model.lm_head.weight, tiny_llama().lm_head.weight)


def test_a_folder_stands_for_its_last_safetensors_file(tmp_path):
    for name in ("a.safetensors", "b.safetensors", "c.pt"):
        (tmp_path / name).touch()

    assert checkpoint_file(str(tmp_path)).name == "b.safetensors"


@pytest.mark.parametrize(
    ("name", "words"),
    [("llama-4bit.pt", "is pickled"), ("nothing.safetensors", "there is no safetensors file")],
)
def test_a_checkpoint_that_is_pickled_or_missing_is_refused(tmp_path, name, words):
    if name.endswith(".pt"):
        (tmp_path / name).touch()

    with pytest.raises(ModelLoadError, match=words):
        checkpoint_file(str(tmp_path / name))
    if name.endswith(".pt"):
        with pytest.raises(ModelLoadError, match=words):
            checkpoint_file(str(tmp_path))


@pytest.mark.parametrize(
    ("values", "words"),
    [(("gptq", 5), "must be one of"), (("awq", 8), "must be one of"), (("gptq", 4, 0), "at least")],
)
def test_widths_without_kernels_are_refused(values, words):
    with pytest.raises(ModelLoadError, match=words):
        QuantizedCheckpoint(*values)
