import io
import json
import shutil
import sys

import pytest
import torch

from inference.engine.config import EngineConfig
from inference.engine.llm_engine import LLMEngine
from inference.exceptions import ModelLoadError
from inference.generation import FinishReason
from inference.loading.loader import load_model
from tests.support.engine_runs import GREEDY, drain, said


def copy_of(folder, tmp_path):
    return shutil.copytree(folder, tmp_path / "model")


def test_a_folder_becomes_a_model_ready_to_answer(model_folder):
    loaded = load_model(str(model_folder))

    assert loaded.context_length == 128
    assert loaded.model.dtype is torch.float32
    assert not loaded.model.training
    assert not any(parameter.requires_grad for parameter in loaded.model.parameters())
    assert loaded.tokenizer.decode(loaded.tokenizer("Hello")["input_ids"]) == "Hello"


@pytest.mark.parametrize(
    "options", [{}, {"dtype": "bfloat16"}, {"load_8bit": True}, {"load_4bit": True}]
)
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_every_precision_answers_through_the_engine(model_folder, options):
    loaded = load_model(str(model_folder), **options)
    engine = LLMEngine(
        loaded.model, loaded.tokenizer, EngineConfig(context_length=loaded.context_length)
    )

    engine.submit("a", messages=said("Hi"), params=GREEDY)
    outputs = drain(engine)["a"]

    assert len(outputs) == GREEDY.max_tokens
    assert outputs[-1].finish_reason is FinishReason.LENGTH


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_fewer_bits_take_less_memory(model_folder):
    sizes = [
        load_model(str(model_folder), **options).model.get_memory_footprint()
        for options in ({"load_4bit": True}, {"load_8bit": True}, {})
    ]

    assert sizes == sorted(sizes)
    assert len(set(sizes)) == 3


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"device": "tpu"}, "unknown device"),
        ({"dtype": "int3"}, "unknown dtype"),
        ({"num_gpus": 0}, "at least 1"),
        ({"num_gpus": 2}, "CUDA"),
        ({"load_8bit": True, "load_4bit": True}, "either"),
        ({"cpu_offloading": True}, "--load-8bit"),
    ],
)
def test_an_option_that_cannot_work_is_refused(model_folder, options, words):
    with pytest.raises(ModelLoadError, match=words):
        load_model(str(model_folder), **options)


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has CUDA")
def test_a_device_that_is_not_there_is_named(model_folder):
    with pytest.raises(ModelLoadError, match="no cuda device"):
        load_model(str(model_folder), device="cuda")


def test_broken_weights_are_a_clear_error(model_folder, tmp_path):
    folder = copy_of(model_folder, tmp_path)
    (folder / "model.safetensors").write_bytes(b"not weights")

    with pytest.raises(ModelLoadError, match="no safetensors file"):
        load_model(str(folder))


def test_a_broken_configuration_is_a_clear_error(model_folder, tmp_path):
    folder = copy_of(model_folder, tmp_path)
    (folder / "config.json").write_text("{")

    with pytest.raises(ModelLoadError, match="cannot be read"):
        load_model(str(folder))


def test_code_that_comes_with_a_model_is_not_run(model_folder, tmp_path):
    folder = copy_of(model_folder, tmp_path)
    config = json.loads((folder / "config.json").read_text())
    config["model_type"] = "homemade"
    config["auto_map"] = {"AutoConfig": "home.Config", "AutoModelForCausalLM": "home.Model"}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "home.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\nclass Config: pass\n")

    with pytest.raises(ModelLoadError, match="--trust-remote-code"):
        load_model(str(folder))

    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("is_terminal", [True, False])
def test_progress_is_shown_on_a_terminal_alone(model_folder, monkeypatch, is_terminal):
    screen = io.StringIO()
    screen.isatty = lambda: is_terminal
    monkeypatch.setattr(sys, "stderr", screen)

    load_model(str(model_folder))

    assert ("Loading weights" in screen.getvalue()) is is_terminal
