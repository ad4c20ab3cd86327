"""Where a model's files are: a folder, or a repository of the hub fetched into its cache."""

from pathlib import Path

from huggingface_hub import snapshot_download
from huggingface_hub.errors import GatedRepoError, HfHubHTTPError, RepositoryNotFoundError

from inference.exceptions import ModelLoadError

FILES = ("*.json", "*.safetensors", "*.txt", "*.model", "*.jinja", "*.tiktoken")
"""What loading reads; pickled weights are left where they are."""


def find_model(path_or_id: str, *, revision: str | None = None) -> Path:
    """Return the folder with a model's files, fetching them where needed.

    Raises:
        ModelLoadError: there is no such folder or repository, it cannot be reached, or it does
            not hold a model with safetensors weights.
    """
    folder = locate(path_or_id, revision=revision)
    _check(folder, path_or_id)
    return folder


def locate(path_or_id: str, *, revision: str | None = None) -> Path:
    """Return a folder, or fetch a repository's files; whatever they are.

    Raises:
        ModelLoadError: there is no such folder or repository, or it cannot be reached.
    """
    folder = Path(path_or_id).expanduser()
    if folder.is_dir():
        return folder
    if _is_path(path_or_id):
        raise ModelLoadError(f"there is no folder {path_or_id!r}")
    return _fetch(path_or_id, revision)


def _is_path(text: str) -> bool:
    """Whether the text can only mean a folder: hub ids are `name` or `owner/name`."""
    return text.startswith((".", "/", "~")) or text.count("/") > 1 or "\\" in text


def _fetch(repository: str, revision: str | None) -> Path:
    """Bring a repository into the hub's cache."""
    try:
        return Path(snapshot_download(repository, revision=revision, allow_patterns=list(FILES)))
    except GatedRepoError as error:
        raise ModelLoadError(
            f"{repository!r} asks for consent: accept its terms on the hub and set HF_TOKEN"
        ) from error
    except RepositoryNotFoundError as error:
        raise ModelLoadError(
            f"{repository!r} is neither a folder here nor a model of the hub"
        ) from error
    except (OSError, HfHubHTTPError, ValueError) as error:
        raise ModelLoadError(
            f"{repository!r} is not a folder and cannot be fetched from the hub "
            f"({type(error).__name__}); go online once to fetch it, or give the path of a folder "
            "that holds the model"
        ) from error


def _check(folder: Path, name: str) -> None:
    """Refuse folders that hold no model of ours, saying why."""
    if not (folder / "config.json").is_file():
        if (folder / "adapter_config.json").is_file():
            raise ModelLoadError(
                f"{name!r} is an adapter; serve it with its base, or put it into the base's weights"
                " with `manage.py merge_lora`"
            )
        raise ModelLoadError(f"{name!r} has no config.json, so it is not a model's folder")
    if not any(folder.glob("*.safetensors")):
        raise ModelLoadError(
            f"{name!r} has no safetensors weights; pickled weights can run code and are not "
            "loaded, convert them first"
        )
