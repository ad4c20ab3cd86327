"""The commands that turn weights into other weights, run as a shell does."""

from pathlib import Path

import pytest
import torch
from django.core.management import CommandError, call_command
from transformers import AutoModelForCausalLM

from tests.support.lora_adapters import save_adapter
from tests.support.tiny_models import save_tiny_model, tiny_llama


@pytest.fixture(scope="module")
def models(tmp_path_factory) -> Path:
    """A folder with a base, what was made of it, and an adapter of the base."""
    folder = tmp_path_factory.mktemp("models")
    base = save_tiny_model(folder / "base")
    model = tiny_llama()
    with torch.no_grad():
        model.lm_head.weight.mul_(1.25)
    save_tiny_model(folder / "whole")
    model.save_pretrained(folder / "whole")
    save_adapter(folder / "adapter", tiny_llama(), base=base)
    return folder


def head_of(folder: Path) -> torch.Tensor:
    return AutoModelForCausalLM.from_pretrained(folder).lm_head.weight


def test_a_delta_is_made_and_applied(models, tmp_path, capsys):
    call_command(
        "make_delta", "--base-model-path", models / "base", "--target-model-path",
        models / "whole", "--delta-path", tmp_path / "delta",
    )  # fmt: skip
    call_command(
        "apply_delta", "--base-model-path", models / "base", "--delta-path", tmp_path / "delta",
        "--target-model-path", tmp_path / "again", "--low-cpu-mem",
    )  # fmt: skip

    said = capsys.readouterr().out.splitlines()
    assert said[0] == f"The delta is in {tmp_path / 'delta'}"
    assert said[1].endswith("numbers will come back exactly")
    assert said[2] == f"The model is in {tmp_path / 'again'}"
    assert torch.equal(head_of(tmp_path / "again"), head_of(models / "whole"))


def test_an_adapter_is_merged_into_the_base_it_names(models, tmp_path):
    arguments = ["--lora-path", models / "adapter", "--target-model-path"]
    call_command("merge_lora", *arguments, tmp_path / "named")
    call_command(
        "merge_lora", "--base", models / "base", *arguments, tmp_path / "given",
        "--shard-size", "50KB",
    )  # fmt: skip

    named, given = (AutoModelForCausalLM.from_pretrained(tmp_path / n) for n in ("named", "given"))
    for ours, theirs in zip(named.parameters(), given.parameters(), strict=True):
        assert torch.equal(ours, theirs)
    base = AutoModelForCausalLM.from_pretrained(models / "base")
    query = "model.layers.0.self_attn.q_proj"
    assert not torch.equal(named.get_submodule(query).weight, base.get_submodule(query).weight)


def test_a_checkpoint_becomes_half_as_large(models, tmp_path):
    call_command(
        "convert_fp16", "--in-checkpoint", models / "base", "--out-checkpoint", tmp_path / "half"
    )

    before = (models / "base" / "model.safetensors").stat().st_size
    assert (tmp_path / "half" / "model.safetensors").stat().st_size < 0.55 * before


def test_reading_pickles_comes_with_a_warning(models, tmp_path, capsys):
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "config.json").write_text((models / "base" / "config.json").read_text())
    torch.save(tiny_llama().state_dict(), tmp_path / "old" / "pytorch_model.bin")

    call_command(
        "convert_fp16", "--in-checkpoint", tmp_path / "old", "--out-checkpoint",
        tmp_path / "safe", "--from-pickle",
    )  # fmt: skip

    assert "take such files from people you trust" in capsys.readouterr().err
    assert (tmp_path / "safe" / "model.safetensors").is_file()


@pytest.mark.parametrize(
    ("command", "arguments", "complaint"),
    [
        ("merge_lora", ["--lora-path", "base", "--target-model-path", "x"], "is no adapter"),
        ("merge_lora", ["--lora-path", "./no", "--target-model-path", "x"], "no folder './no'"),
        (
            "merge_lora",
            ["--base-model-path", "base", "--lora-path", "adapter", "--target-model-path", "whole"],
            "is there already; --force replaces it",
        ),
        (
            "apply_delta",
            ["--base-model-path", "base", "--delta-path", "adapter", "--target-model-path", "x"],
            "is an adapter",
        ),
        ("convert_fp16", ["--in-checkpoint", "adapter", "--out-checkpoint", "x"], "is no model"),
        (
            "convert_fp16",
            ["--in-checkpoint", "base", "--out-checkpoint", "x", "--from-pickle"],
            "has no pickled weights",
        ),
    ],
)
def test_bad_input_ends_a_command_in_one_sentence(
    models, monkeypatch, command, arguments, complaint
):
    monkeypatch.chdir(models)

    with pytest.raises(CommandError, match=complaint) as refusal:
        call_command(command, *arguments)

    assert refusal.value.returncode == 2
    assert not (models / "x").exists()


class Hub:
    """What the hub's client is asked to do."""

    def __init__(self, *, refuses: bool) -> None:
        self.refuses = refuses
        self.files: list[str] = []

    def create_repo(self, repository: str, *, private: bool, exist_ok: bool) -> str:
        assert private
        assert exist_ok
        if self.refuses:
            raise OSError("401")
        return f"https://hub.example/{repository}"

    def upload_folder(self, *, folder_path: Path, repo_id: str) -> None:
        assert repo_id == "me/delta"
        self.files = sorted(path.name for path in folder_path.iterdir())


@pytest.mark.parametrize("refuses", [False, True])
def test_a_delta_is_uploaded_where_that_is_asked_for(
    models, tmp_path, monkeypatch, capsys, refuses
):
    hub = Hub(refuses=refuses)
    monkeypatch.setattr("inference.loading.uploading.HfApi", lambda: hub)
    arguments = [
        "make_delta", "--base-model-path", models / "base", "--target-model-path",
        models / "whole", "--delta-path", tmp_path / "delta", "--hub-repo-id", "me/delta",
    ]  # fmt: skip

    if refuses:
        with pytest.raises(CommandError, match="could not be uploaded to 'me/delta'"):
            call_command(*arguments)
    else:
        call_command(*arguments)
        assert "uploaded to https://hub.example/me/delta" in capsys.readouterr().out
        assert "model.safetensors" in hub.files
    assert (tmp_path / "delta" / "model.safetensors").is_file()
