"""FastChat's options for loading: its names, its defaults, prefixes, and what becomes of them."""

from argparse import ArgumentParser
from typing import Any

import pytest
from django.core.management.base import CommandError
from django.test import override_settings

from inference.loading.options import LoadOptions
from inference.loading.quantized_checkpoint import QuantizedCheckpoint
from inference.management.model_arguments import (
    add_model_arguments,
    for_another_model,
    spec_options,
)

GIB = 2**30

FASTCHATS_DEFAULTS = {
    "gpus": None,
    "num_gpus": 1,
    "max_gpu_memory": None,
    "dtype": None,
    "load_8bit": False,
    "cpu_offloading": False,
    "gptq_ckpt": None,
    "gptq_wbits": 16,
    "gptq_groupsize": -1,
    "gptq_act_order": False,
    "awq_ckpt": None,
    "awq_wbits": 16,
    "awq_groupsize": -1,
    "enable_exllama": False,
    "exllama_max_seq_len": 4096,
    "exllama_gpu_split": None,
    "exllama_cache_8bit": False,
    "enable_xft": False,
    "xft_max_seq_len": 4096,
    "xft_dtype": None,
}


def parsed(*words: str) -> dict[str, Any]:
    parser = ArgumentParser()
    add_model_arguments(parser)
    return vars(parser.parse_args(words))


def loading(*words: str) -> dict[str, Any]:
    options: dict[str, Any] = spec_options(parsed(*words))["load_options"]
    return options


@pytest.mark.parametrize(("name", "value"), FASTCHATS_DEFAULTS.items())
def test_names_and_defaults_are_fastchats(name: str, value: object) -> None:
    assert parsed()[name] == value


def test_what_is_not_said_is_left_to_loading() -> None:
    assert LoadOptions(**loading()) == LoadOptions()


def test_prefixes_are_accepted() -> None:
    options = parsed("--load-8", "--max-gpu", "13Gib", "--num-g", "2", "--gptq-g", "128")

    assert options["load_8bit"] is True
    assert (options["max_gpu_memory"], options["num_gpus"]) == (13 * GIB, 2)
    assert options["gptq_groupsize"] == 128


@pytest.mark.parametrize(
    ("text", "size"), [("13Gib", 13 * GIB), ("13GiB", 13 * GIB), ("8000MB", 8_000_000_000)]
)
def test_memory_is_written_as_fastchat_writes_it(text: str, size: int) -> None:
    assert loading("--max-gpu-memory", text)["max_gpu_memory"] == size


def test_a_gptq_checkpoint_reaches_loading() -> None:
    options = loading(
        "--gptq-ckpt", "w.safetensors", "--gptq-wbits", "4", "--gptq-groupsize", "128",
        "--gptq-act-order",
    )  # fmt: skip

    assert options["checkpoint"] == QuantizedCheckpoint("gptq", 4, 128, True, "w.safetensors")


def test_an_awq_checkpoint_reaches_loading() -> None:
    options = loading("--awq-wbits", "4", "--awq-groupsize", "128")

    assert options["checkpoint"] == QuantizedCheckpoint("awq", 4, 128)


def test_exllama_gives_its_window_and_its_split() -> None:
    spec = spec_options(
        parsed("--enable-exllama", "--exllama-max-seq-len", "8192", "--exllama-gpu-split", "20,7")
    )

    assert spec["context_length"] == 8192
    assert spec["load_options"]["enable_exllama"] is True
    assert spec["load_options"]["num_gpus"] == 2
    assert spec["load_options"]["max_gpu_memory"] == (20 * GIB, 7 * GIB)


def test_exllamas_window_means_nothing_without_it() -> None:
    assert spec_options(parsed("--exllama-max-seq-len", "8192"))["context_length"] is None


def test_a_window_that_was_asked_for_comes_first() -> None:
    words = ("--enable-exllama", "--context-length", "1000")

    assert spec_options(parsed(*words))["context_length"] == 1000


def test_gpus_are_chosen_before_anybody_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    chosen: dict[str, str] = {}
    monkeypatch.setattr("inference.loading.visible_devices.os.environ", chosen)

    loading("--gpus", "0,2", "--num-gpus", "2", "--device", "cuda")

    assert chosen == {"CUDA_VISIBLE_DEVICES": "0,2"}


@pytest.mark.parametrize(
    "words",
    [
        ("--enable-xft",),
        ("--exllama-cache-8bit",),
        ("--gptq-ckpt", "x"),
        ("--gptq-wbits", "4", "--awq-wbits", "4"),
        ("--gpus", "0", "--num-gpus", "2"),
        ("--gptq-wbits", "4", "--gptq-groupsize", "0"),
    ],
)
def test_what_cannot_be_ends_the_command_with_2(words: tuple[str, ...]) -> None:
    with pytest.raises(CommandError) as caught:
        loading(*words)

    assert caught.value.returncode == 2


def test_settings_say_where_models_come_from_and_what_the_cpu_has() -> None:
    with override_settings(INFERENCE={"use_modelscope": True, "cpu_isa": "amx"}):
        options = loading()

    assert options["use_modelscope"] is True
    assert options["cpu_isa"] == "amx"


def test_what_was_said_of_one_model_is_not_said_of_the_demo_models() -> None:
    options = spec_options(
        parsed("--gptq-wbits", "4", "--revision", "abc", "--dtype", "bfloat16", "--load-8bit")
    )

    other = for_another_model(options)["load_options"]

    assert (other["checkpoint"], other["revision"]) == (None, None)
    assert (other["dtype"], other["load_8bit"]) == ("bfloat16", True)
