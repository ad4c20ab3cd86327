"""Adapters' folders: peft's own are read as peft reads them, others are refused in one sentence."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from inference.exceptions import ModelLoadError
from inference.loading.adapter_config import is_adapter, read_adapter_config
from inference.loading.adapter_weights import read_adapter, read_served_adapter
from tests.support.lora_adapters import EVERY_PROJECTION, adapter_of, save_adapter
from tests.support.tiny_models import tiny_llama


@pytest.fixture(scope="module")
def model():
    return tiny_llama(layers=1, hidden_size=32)


@pytest.fixture
def folder(model, tmp_path) -> Path:
    save_adapter(tmp_path / "adapter", model, base="my-base")
    return tmp_path / "adapter"


def change(folder: Path, **values: object) -> None:
    path = folder / "adapter_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"use_rslora": True},
        {"rank_pattern": {"k_proj": 2, "layers.0.mlp.*": 6}, "alpha_pattern": {"v_proj": 32}},
        {"init_lora_weights": "gaussian", "lora_dropout": 0.1},
    ],
)
def test_scaling_and_ranks_are_those_of_peft(model, tmp_path, options):
    adapted = save_adapter(tmp_path, model, modules=EVERY_PROJECTION, **options)

    found = read_served_adapter(tmp_path, read_adapter_config(tmp_path))

    expected = adapter_of(adapted).weights
    assert found.keys() == expected.keys()
    for module, (down, up) in found.items():
        torch.testing.assert_close(down, expected[module].down)
        torch.testing.assert_close(up, expected[module].up)


def test_an_adapter_tells_its_base(folder):
    config = read_adapter_config(folder)

    assert config.base == "my-base"
    assert is_adapter(folder)
    assert not is_adapter(folder.parent)


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"use_dora": True}, "DoRA"),
        ({"modules_to_save": ["lm_head"]}, "replaces lm_head.weight"),
        ({"modules": ("q_proj", "embed_tokens")}, "changes the embedding model.embed_tokens"),
    ],
)
def test_what_cannot_share_a_base_is_refused_with_the_way_out(model, tmp_path, options, complaint):
    save_adapter(tmp_path, model, **options)

    with pytest.raises(ModelLoadError, match=f"{complaint}.*merge_lora"):
        read_served_adapter(tmp_path, read_adapter_config(tmp_path))


@pytest.mark.parametrize(
    ("values", "complaint"),
    [
        ({"peft_type": "IA3"}, "is a IA3 adapter; LoRA is known"),
        ({"peft_type": None}, "NONE adapter"),
        ({"init_lora_weights": "pissa_niter_4"}, "began with pissa_niter_4"),
        ({"layer_replication": [[0, 1]]}, "uses layer_replication"),
        ({"trainable_token_indices": [1]}, "uses trainable_token_indices"),
        ({"r": 0}, "the rank must be from 1"),
        ({"r": "8"}, "the rank must be from 1"),
        ({"lora_alpha": "much"}, "not usable"),
        ({"lora_alpha": float("inf")}, "no finite number"),
        ({"rank_pattern": {"(": 4}}, "is no pattern"),
        ({"rank_pattern": {"(a+)+b": 4}}, "too intricate"),
        ({"rank_pattern": {"a*" * 9: 4}}, "too intricate"),
        ({"rank_pattern": [1]}, "not usable"),
    ],
)
def test_settings_that_cannot_be_followed_are_refused(folder, values, complaint):
    change(folder, **values)

    with pytest.raises(ModelLoadError, match=complaint):
        read_adapter_config(folder)


@pytest.mark.parametrize("text", ["", "[1]", "{", "[" * 100_000, '{"peft_type": "LORA"}'])
def test_a_broken_configuration_is_refused(folder, text):
    (folder / "adapter_config.json").write_text(text)

    with pytest.raises(ModelLoadError, match=r"adapter_config\.json of 'adapter'"):
        read_adapter_config(folder)


def test_a_folder_without_configuration_is_no_adapter(tmp_path):
    with pytest.raises(ModelLoadError, match="so it is no adapter"):
        read_adapter_config(tmp_path)


def test_pickled_adapters_are_refused(folder):
    (folder / "adapter_model.safetensors").rename(folder / "adapter_model.bin")

    with pytest.raises(ModelLoadError, match="pickled weights only"):
        read_adapter(folder, read_adapter_config(folder))


def test_missing_weights_are_noticed(folder):
    (folder / "adapter_model.safetensors").unlink()

    with pytest.raises(ModelLoadError, match=r"has no adapter_model\.safetensors"):
        read_adapter(folder, read_adapter_config(folder))


def test_a_truncated_file_is_refused(folder):
    path = folder / "adapter_model.safetensors"
    path.write_bytes(path.read_bytes()[:-100])

    with pytest.raises(ModelLoadError, match="cannot be read"):
        read_adapter(folder, read_adapter_config(folder))


@pytest.mark.parametrize(
    ("name", "shape", "complaint"),
    [
        ("base_model.model.x.lora_A.weight", (4, 32), "lacks 'lora_B' of x"),
        ("base_model.model.x.magic", (4,), "tensor 'base_model.model.x.magic'"),
    ],
)
def test_tensors_that_make_no_sense_are_refused(folder, name, shape, complaint):
    path = folder / "adapter_model.safetensors"
    save_file({**load_file(path), name: torch.zeros(shape)}, path)

    with pytest.raises(ModelLoadError, match=complaint):
        read_adapter(folder, read_adapter_config(folder))


def test_ranks_other_than_promised_are_refused(folder):
    change(folder, r=16)

    with pytest.raises(ModelLoadError, match=r"should have rank 16 in .*q_proj"):
        read_adapter(folder, read_adapter_config(folder))
