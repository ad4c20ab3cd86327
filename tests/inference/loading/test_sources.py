import pytest

from inference.exceptions import ModelLoadError
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
