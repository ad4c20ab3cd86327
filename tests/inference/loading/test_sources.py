import sys
import types
from importlib.machinery import ModuleSpec
from importlib.util import find_spec

import pytest

from inference.exceptions import ModelLoadError
from inference.loading import sources
from inference.loading.sources import find_model


@pytest.fixture(autouse=True)
def offline(monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)


def test_a_folder_is_itself(model_folder):
    assert find_model(str(model_folder)) == model_folder


@pytest.mark.parametrize("path", ["./nowhere", "/no/where", "~/nowhere-at-all", "a/b/c"])
def test_a_path_without_a_folder_is_not_looked_for_on_the_hub(path):
    with pytest.raises(ModelLoadError, match="there is no folder"):
        find_model(path)


def test_a_hub_id_that_cannot_be_fetched_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))

    with pytest.raises(ModelLoadError, match="go online once"):
        find_model("nobody/no-such-model")


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ([], "no config.json"),
        (["adapter_config.json"], "is an adapter; serve it with its base"),
        (["config.json"], "no safetensors"),
        (["config.json", "pytorch_model.bin"], "which can run code"),
    ],
)
def test_a_folder_that_holds_no_model_says_why(tmp_path, files, words):
    for name in files:
        (tmp_path / name).write_text("{}")

    with pytest.raises(ModelLoadError, match=words):
        find_model(str(tmp_path))


@pytest.fixture
def modelscope(monkeypatch, tmp_path):
    """A stand-in with the signature of the package's own function; remembers what it was asked."""
    folder = tmp_path / "cache"
    folder.mkdir()
    for name in ("config.json", "model.safetensors"):
        (folder / name).touch()
    asked = []

    def snapshot_download(
        model_id=None, revision=None, *, allow_patterns=None, ignore_patterns=None
    ):
        asked.append((model_id, revision, allow_patterns, ignore_patterns))
        if model_id == "nobody/nothing":
            raise RuntimeError("404\nnot found")
        return str(folder)

    module = types.ModuleType("modelscope")
    module.__spec__ = ModuleSpec("modelscope", None)
    module.snapshot_download = snapshot_download
    monkeypatch.setitem(sys.modules, "modelscope", module)
    return types.SimpleNamespace(asked=asked, folder=folder)


def test_modelscope_is_asked_for_the_same_files(modelscope):
    found = find_model("qwen/Qwen-7B-Chat", revision="v1.1.9", use_modelscope=True)

    assert found == modelscope.folder
    assert modelscope.asked == [
        ("qwen/Qwen-7B-Chat", "v1.1.9", list(sources.FILES), list(sources.SECOND_COPIES))
    ]


def test_code_is_fetched_only_where_it_may_run(modelscope):
    find_model("qwen/Qwen-7B-Chat", use_modelscope=True, with_code=True)

    assert "*.py" in modelscope.asked[0][2]
    assert not any(pattern.endswith((".bin", ".pt")) for pattern in modelscope.asked[0][2])


def test_a_folder_is_itself_with_modelscope_too(modelscope, model_folder):
    assert find_model(str(model_folder), use_modelscope=True) == model_folder
    assert modelscope.asked == []


def test_what_modelscope_has_not_is_told_in_one_sentence(modelscope):
    with pytest.raises(ModelLoadError, match=r"from ModelScope; .*404 not found"):
        find_model("nobody/nothing", use_modelscope=True)


@pytest.mark.skipif(find_spec("modelscope") is not None, reason="modelscope is installed")
def test_a_missing_package_is_named():
    with pytest.raises(ModelLoadError, match="pip install modelscope"):
        find_model("qwen/Qwen-7B-Chat", use_modelscope=True)


@pytest.mark.parametrize("revision", [None, "refs/pr/3"])
def test_hugging_face_is_asked_for_the_revision(monkeypatch, model_folder, revision):
    asked = []

    def download(repository, **options):
        asked.append((repository, options["revision"]))
        return str(model_folder)

    monkeypatch.setattr(sources, "snapshot_download", download)

    assert find_model("lmsys/vicuna-7b-v1.5", revision=revision) == model_folder
    assert asked == [("lmsys/vicuna-7b-v1.5", revision)]
