"""Models that cannot be loaded: one sentence that says what to do, exit code 2, no traceback."""

import gc
import json
import re
import shutil
import signal
import struct
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from django.core.management import call_command
from django.core.management.base import CommandError
from safetensors.torch import load_file, save_file

from inference import free_memory
from inference.loading import fitting
from tests.support.tiny_models import save_tiny_model

Damage = Callable[[Path], object]


@pytest.fixture(scope="session")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_model(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture
def folder(whole: Path, tmp_path: Path) -> Path:
    return shutil.copytree(whole, tmp_path / "broken")


@pytest.fixture(autouse=True)
def same_process() -> Iterator[None]:
    """`serve` ends its process, so it puts neither signal handlers nor the collector back."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)
    gc.unfreeze()


def refusal(*words: str) -> str:
    """Run `serve` with options and return the sentence it ends with."""
    with pytest.raises(CommandError) as caught:
        call_command("serve", "--port", "0", "--no-demo-models", *words)
    sentence = str(caught.value)
    assert caught.value.returncode == 2
    assert "\n" not in sentence
    assert "Traceback" not in sentence
    return sentence


def weights_of(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / "model.safetensors")


def leave_only_pickles(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    (folder / "pytorch_model.bin").write_bytes(b"\x80\x04.")


def cut_off(folder: Path) -> None:
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-1000])


def cut_off_in_the_header(folder: Path) -> None:
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:100])


def write_an_absurd_header(folder: Path) -> None:
    (folder / "model.safetensors").write_bytes(struct.pack("<Q", 2**60) + b"{}")


def change_a_shape(folder: Path) -> None:
    tensors = weights_of(folder)
    tensors["model.norm.weight"] = torch.ones(3)
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})


def lose_a_tensor(folder: Path) -> None:
    tensors = weights_of(folder)
    del tensors["model.layers.1.mlp.up_proj.weight"]
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})


def name_a_missing_shard(folder: Path) -> None:
    names = sorted(weights_of(folder))
    (folder / "model.safetensors").rename(folder / "model-00001-of-00002.safetensors")
    places = dict.fromkeys(names, "model-00001-of-00002.safetensors")
    places[names[-1]] = "model-00002-of-00002.safetensors"
    index = {"metadata": {}, "weight_map": places}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))


def break_the_index(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "model-00001-of-00001.safetensors")
    (folder / "model.safetensors.index.json").write_text("[]")


def write_config(folder: Path, **values: object) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


def drop_the_tokenizer(folder: Path) -> None:
    for path in folder.glob("tokenizer*"):
        path.unlink()


DAMAGES: dict[str, tuple[Damage, str]] = {
    "no configuration": (lambda f: (f / "config.json").unlink(), "no config.json"),
    "a broken configuration": (lambda f: (f / "config.json").write_text("{"), "config.json of"),
    "an unknown kind of model": (lambda f: write_config(f, model_type="homemade"), "homemade"),
    "pickled weights": (leave_only_pickles, "convert_fp16"),
    "no weights": (lambda f: (f / "model.safetensors").unlink(), "no safetensors weights"),
    "weights cut off": (cut_off, "is cut off"),
    "a header cut off": (cut_off_in_the_header, "is cut off"),
    "an absurd header": (write_an_absurd_header, "does not begin like one"),
    "wrong shapes": (change_a_shape, r"model.norm.weight has the shape \[3\], \[64\] is expected"),
    "a lost tensor": (lose_a_tensor, "lack 1 parts .* such as model.layers.1.mlp.up_proj.weight"),
    "a missing shard": (name_a_missing_shard, "lacks 1 of its 2 weight files"),
    "a broken index": (break_the_index, "index.json of 'broken' cannot be read"),
    "a broken tokenizer": (
        lambda f: (f / "tokenizer.json").write_text("{"),
        "tokenizer of 'broken' cannot be read",
    ),
    "no tokenizer": (drop_the_tokenizer, "has no tokenizer"),
    "weights of an unknown format": (
        lambda f: write_config(f, quantization_config={"quant_method": "exl2"}),
        "ExLlamaV2's own format",
    ),
    "a quantization without a method": (
        lambda f: write_config(f, quantization_config={}),
        "does not say how it is quantized",
    ),
}


@pytest.mark.django_db
@pytest.mark.parametrize(("damage", "words"), DAMAGES.values(), ids=DAMAGES.keys())
def test_a_damaged_folder_is_told_in_one_sentence(folder: Path, damage: Damage, words: str) -> None:
    damage(folder)

    sentence = refusal("--model", str(folder))

    assert re.search(words, sentence)
    assert "broken" in sentence


OPTIONS: dict[str, tuple[tuple[str, ...], str]] = {
    "both widths": (("--load-8bit", "--load-4bit"), "choose either"),
    "offloading alone": (("--cpu-offloading",), "works with --load-8bit"),
    "offloading from CPU": (("--cpu-offloading", "--load-8bit", "--device", "cpu"), "leave it out"),
    "no device": (("--num-gpus", "0"), "at least 1"),
    "several CPUs": (("--num-gpus", "2", "--device", "cpu"), "not over cpu"),
    "fewer ids than devices": (("--gpus", "0", "--num-gpus", "2"), "names fewer devices"),
    "ids that are none": (("--gpus", "0;1"), "numbers separated by commas"),
    "xFasterTransformer": (("--enable-xft",), "no longer maintained"),
    "an 8-bit cache": (("--exllama-cache-8bit",), "not built"),
    "ExLlama for plain weights": (("--enable-exllama",), "is for GPTQ and AWQ"),
    "a checkpoint of unknown width": (("--gptq-ckpt", "x.safetensors"), "needs --gptq-wbits"),
    "two kinds of checkpoint": (("--gptq-wbits", "4", "--awq-wbits", "4"), "not by both"),
    "8 bits of 4": (("--awq-wbits", "4", "--load-8bit"), "quantized already"),
    "a device that is not there": (("--device", "xpu"), "finds no xpu device"),
    "a plug-in that is not there": (("--device", "npu"), "torch_npu is not installed"),
}


@pytest.mark.django_db
@pytest.mark.parametrize(("options", "words"), OPTIONS.values(), ids=OPTIONS.keys())
def test_options_that_cannot_work_are_told_in_one_sentence(
    whole: Path, monkeypatch: pytest.MonkeyPatch, options: tuple[str, ...], words: str
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")

    assert words in refusal("--model", str(whole), *options)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--device", "tpu"), "invalid choice: 'tpu'"),
        (("--dtype", "int3"), "invalid choice: 'int3'"),
        (("--max-gpu-memory", "lots"), "not a size such as 4GiB"),
        (("--gptq-wbits", "5"), "invalid choice: 5"),
    ],
)
def test_words_an_option_does_not_know_are_told_with_the_ones_it_knows(
    options: tuple[str, ...], words: str
) -> None:
    with pytest.raises(CommandError, match=words):
        call_command("serve", *options)


@pytest.mark.django_db
def test_a_hub_id_without_a_network_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))

    assert "go online once" in refusal("--model", "nobody/no-such-model")


@pytest.mark.django_db
def test_a_model_without_memory_is_told_what_would_fit(
    whole: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fitting, "available_bytes", lambda device: 100_000)
    assert free_memory.available_bytes(torch.device("cpu")) > 100_000

    sentence = refusal("--model", str(whole), "--device", "cpu")

    assert "does not fit: it needs about" in sentence
    assert "this machine has" in sentence
