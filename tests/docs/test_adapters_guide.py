"""The guide to adapters: its conversions run in their order, its servers take their options."""

import re
import shlex
from pathlib import Path

import pytest
import torch
from django.core.management import call_command, get_commands, load_command_class

from inference.worker.model_specs import ModelSpec, parse_spec
from inference.worker.shared_bases import share_bases, with_adapters
from tests.support.lora_adapters import save_adapter
from tests.support.tiny_models import save_tiny_model, tiny_llama

GUIDE = Path(__file__).resolve().parent.parent.parent / "docs/guides/adapters.md"
SERVING = ("serve", "worker", "chat")


def command_lines() -> list[list[str]]:
    """Every call of `manage.py` in the guide's blocks, as words."""
    found = re.findall(
        r"^\.venv/bin/python manage\.py (.+)$", GUIDE.read_text("utf-8"), re.MULTILINE
    )
    return [shlex.split(line) for line in found]


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folders that the guide calls /models."""
    folder = tmp_path_factory.mktemp("models")
    for name in ("base", "whole", "old"):
        save_tiny_model(folder / name)
    (folder / "old" / "model.safetensors").unlink()
    torch.save(tiny_llama().state_dict(), folder / "old" / "pytorch_model.bin")
    for seed, name in enumerate(("poet", "clerk")):
        save_adapter(folder / name, tiny_llama(), base=folder / "base", seed=seed)
    return folder


def test_the_guides_conversions_run(models: Path):
    lines = [words for words in command_lines() if words[0] not in SERVING]

    for words in lines:
        call_command(*(word.replace("/models", str(models)) for word in words))

    assert [words[0] for words in lines] == [
        "merge_lora", "make_delta", "apply_delta", "convert_fp16", "convert_fp16",
    ]  # fmt: skip
    for name in ("merged", "delta", "again", "half", "safe"):
        assert (models / name / "model.safetensors").is_file()


def test_the_guides_servers_load_the_base_once(models: Path):
    lines = [words for words in command_lines() if words[0] in SERVING]

    loaded = []
    for name, *words in lines:
        application = get_commands()[name]
        assert isinstance(application, str)
        parser = load_command_class(application, name).create_parser("manage.py", name)
        options = parser.parse_args([word.replace("/models", str(models)) for word in words])
        paths = getattr(options, "model", None) or options.model_path
        base = options.base_model_path
        specs = [
            parse_spec(path, base_model_path=base)
            for path in ([paths] if isinstance(paths, str) else paths)
        ]
        loaded.append(share_bases(with_adapters(specs, getattr(options, "adapter", []))))

    assert len(lines) == 4
    assert all(isinstance(specs[0], ModelSpec) and len(specs) == 1 for specs in loaded)
    assert {specs[0].path for specs in loaded} == {str(models / "base")}
    assert [sorted(specs[0].names) for specs in loaded] == [
        ["clerk", "poet"],
        ["base", "clerk", "poet"],
        ["base", "clerk", "poet"],
        ["poet"],
    ]
