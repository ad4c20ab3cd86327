"""The options of commands that load models, as they reach the engine."""

from argparse import ArgumentParser
from typing import Any

import pytest

from inference.management.model_arguments import (
    add_model_arguments,
    for_another_model,
    spec_options,
)


def spec_of(*words: str) -> dict[str, Any]:
    parser = ArgumentParser()
    add_model_arguments(parser)
    return spec_options(vars(parser.parse_args(words)))


def parsed(*words: str) -> dict[str, object]:
    options: dict[str, object] = spec_of(*words)["engine_options"]
    return options


def test_engine_options_are_left_to_the_engine_unless_given() -> None:
    options = parsed()

    assert options.pop("prefix_cache") is True
    assert {options[name] for name in ("kv_cache_bytes", "kv_memory_share", "threads")} == {None}


def test_engine_options_reach_the_spec() -> None:
    options = parsed(
        "--kv-cache-memory", "1.5GiB", "--gpu-memory-utilization", "0.8",
        "--max-batched-tokens", "512", "--threads", "2", "--no-prefix-cache",
        "--weights", "int8",
    )  # fmt: skip

    assert options["kv_cache_bytes"] == 3 * 2**29
    assert options["kv_memory_share"] == 0.8
    assert (options["max_batched_tokens"], options["threads"]) == (512, 2)
    assert options["prefix_cache"] is False
    assert options["weights"] == "int8"


def test_guessing_ahead_reaches_the_spec() -> None:
    spec = spec_of("--speculation", "draft", "--draft-model-path", "small", "--draft-tokens", "6")

    assert spec["draft_model_path"] == "small"
    assert spec["engine_options"]["speculation"] == "draft"
    assert spec["engine_options"]["draft_tokens"] == 6


@pytest.mark.parametrize(("asked", "left"), [("draft", None), ("prompt_lookup", "prompt_lookup")])
def test_a_draft_model_is_not_given_to_models_it_was_not_made_for(
    asked: str, left: str | None
) -> None:
    spec = for_another_model(spec_of("--speculation", asked, "--draft-model-path", "small"))

    assert spec["draft_model_path"] is None
    assert spec["engine_options"]["speculation"] == left


@pytest.mark.parametrize(
    ("text", "size"),
    [("1000", 1000), ("2KB", 2000), ("2 KiB", 2048), ("0.5MB", 500_000), ("3TiB", 3 * 2**40)],
)
def test_a_size_is_a_number_with_a_unit(text: str, size: int) -> None:
    assert parsed("--kv-cache-memory", text)["kv_cache_bytes"] == size


@pytest.mark.parametrize("text", ["", "0", "GiB", "-1GiB", "4 gigabytes", "1e9", "9" * 40])
def test_what_is_no_size_is_refused(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parsed(f"--kv-cache-memory={text}")

    assert "is not a size such as 4GiB" in capsys.readouterr().err


@pytest.mark.parametrize("text", ["0", "1", "1.2", "-0.5", "nan", "half"])
def test_what_is_no_share_is_refused(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parsed(f"--gpu-memory-utilization={text}")

    assert "is not a number between 0 and 1" in capsys.readouterr().err


def test_a_chat_template_is_asked_for_by_name_and_not_for_other_models() -> None:
    spec = spec_of("--conv-template", "TinyLlama")

    assert spec["conv_template"] == "zephyr"
    assert for_another_model(spec)["conv_template"] is None


def test_an_unknown_chat_template_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        spec_of("--conv-template", "vicuna")

    assert caught.value.code == 2
    assert "there is no chat template 'vicuna'" in capsys.readouterr().err
