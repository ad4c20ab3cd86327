"""Where a model's files are: a folder, or a repository fetched into a hub's cache."""

from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from huggingface_hub import snapshot_download
from huggingface_hub.errors import GatedRepoError, HfHubHTTPError, RepositoryNotFoundError

from inference.exceptions import ModelLoadError
from inference.loading.refusals import telling

WEIGHTS = "*.safetensors"
FILES = ("*.json", WEIGHTS, "*.txt", "*.model", "*.spm", "*.jinja", "*.tiktoken")
"""What loading reads; pickled weights are left where they are."""

PROGRAMS = ("*.py",)
"""What it reads beside where the code of a repository may run."""

SECOND_COPIES = ("consolidated*.safetensors", "original/*", "metal/*", "onnx/*")
"""The same weights again, in the layout of another program."""

PICKLED = ("*.bin", "*.pt", "*.pth", "*.ckpt")


def find_model(
    path_or_id: str,
    *,
    revision: str | None = None,
    use_modelscope: bool = False,
    with_code: bool = False,
    with_weights: bool = True,
) -> Path:
    """Return the folder with a model's files, fetching them where needed.

    Args:
        path_or_id: a folder, or a repository.
        revision: of the repository; None means its main branch.
        use_modelscope: the repository is ModelScope's instead of Hugging Face's.
        with_code: fetch Python files too.
        with_weights: whether the weights must lie there.

    Raises:
        ModelLoadError: there is no such folder or repository, it cannot be reached, or it does
            not hold a model with safetensors weights.
    """
    folder = locate(
        path_or_id, revision=revision, use_modelscope=use_modelscope, with_code=with_code
    )
    _check(folder, path_or_id, with_weights=with_weights)
    return folder


def locate(
    path_or_id: str,
    *,
    revision: str | None = None,
    use_modelscope: bool = False,
    with_code: bool = False,
    with_weights: bool = True,
) -> Path:
    """Return a folder, or fetch a repository's files; whatever they are.

    Args:
        path_or_id: a folder, or a repository.
        revision: of the repository; None means its main branch.
        use_modelscope: the repository is ModelScope's instead of Hugging Face's.
        with_code: fetch Python files too.
        with_weights: fetch weights too.

    Raises:
        ModelLoadError: there is no such folder or repository, or it cannot be reached.
    """
    folder = Path(path_or_id).expanduser()
    if folder.is_dir():
        return folder
    if _is_path(path_or_id):
        raise ModelLoadError(f"there is no folder {path_or_id!r}")
    fetch = _fetch_from_modelscope if use_modelscope else _fetch
    patterns = [*FILES, *(PROGRAMS if with_code else ())]
    if not with_weights:
        patterns.remove(WEIGHTS)
    return fetch(path_or_id, revision, patterns)


def _is_path(text: str) -> bool:
    """Whether the text can only mean a folder: hub ids are `name` or `owner/name`."""
    return text.startswith((".", "/", "~")) or text.count("/") > 1 or "\\" in text


def _fetch(repository: str, revision: str | None, patterns: list[str]) -> Path:
    """Bring a repository of Hugging Face into its cache."""
    try:
        return Path(
            snapshot_download(
                repository,
                revision=revision,
                allow_patterns=patterns,
                ignore_patterns=list(SECOND_COPIES),
            )
        )
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


def _fetch_from_modelscope(repository: str, revision: str | None, patterns: list[str]) -> Path:
    """Bring a repository of ModelScope into its cache."""
    if find_spec("modelscope") is None:
        raise ModelLoadError(
            "FASTCHAT_USE_MODELSCOPE is set, but its package is missing; pip install modelscope"
        )
    fetch: Callable[..., Any] = import_module("modelscope").snapshot_download
    with telling(
        f"{repository!r} is not a folder and cannot be fetched from ModelScope; go online once to"
        " fetch it, or give the path of a folder that holds the model"
    ):
        return Path(
            fetch(
                repository,
                revision=revision,
                allow_patterns=patterns,
                ignore_patterns=list(SECOND_COPIES),
            )
        )


def _check(folder: Path, name: str, *, with_weights: bool) -> None:
    """Refuse folders that hold no model of ours, saying why."""
    if not (folder / "config.json").is_file():
        if (folder / "adapter_config.json").is_file():
            raise ModelLoadError(
                f"{name!r} is an adapter; serve it with its base, or put it into the base's weights"
                " with `manage.py merge_lora`"
            )
        raise ModelLoadError(f"{name!r} has no config.json, so it is not a model's folder")
    if not with_weights or any(folder.glob("*.safetensors")):
        return
    if any(found for pattern in PICKLED for found in folder.glob(pattern)):
        raise ModelLoadError(
            f"{name!r} has pickled weights only, which can run code when they are read, so they are"
            " not loaded; convert them to safetensors with `manage.py convert_fp16 --from-pickle"
            " --in-checkpoint … --out-checkpoint …`, or take a revision that has safetensors"
        )
    raise ModelLoadError(f"{name!r} has no safetensors weights; copy or fetch the folder again")
