"""What lies beside weights: their configuration as it is stored, the tokenizer, the licence."""

import json
import shutil
from pathlib import Path
from typing import Any

from inference.exceptions import ConversionError

CONFIG = "config.json"

TOKENIZER = (
    "tokenizer*", "special_tokens_map.json", "added_tokens.json", "vocab*", "merges.txt",
    "chat_template*", "*.model", "*.tiktoken",
)  # fmt: skip
ALL = (*TOKENIZER, "*.json", "*.txt", "*.jinja", "*.md", "LICENSE*")

NOT_OURS = ("adapter_config.json", "trainer_state.json")


def read_stored_config(folder: Path) -> dict[str, Any]:
    """Return the configuration in a model's folder, as it is stored.

    Raises:
        ConversionError: there is none, or it is no JSON object.
    """
    path = folder / CONFIG
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ConversionError(f"{folder.name!r} has no {CONFIG}, so it is no model") from error
    except (OSError, ValueError, RecursionError) as error:
        raise ConversionError(f"{CONFIG} of {folder.name!r} cannot be read: {error}") from error
    if not isinstance(values, dict):
        raise ConversionError(f"{CONFIG} of {folder.name!r} holds no object")
    return values


def copy_beside(source: Path, target: Path, *, dtype: str | None = None) -> None:
    """Copy what lies beside a model's weights; its configuration may tell another number format.

    Args:
        source: a model's folder.
        target: the new one.
        dtype: such as "float16"; None leaves the configuration as it is.
    """
    _copy(source, target, ALL)
    if dtype is not None:
        values = read_stored_config(target)
        values.pop("torch_dtype", None)
        text = json.dumps({**values, "dtype": dtype}, indent=2)
        (target / CONFIG).write_text(text, encoding="utf-8")


def copy_tokenizer(source: Path, target: Path) -> None:
    """Copy a tokenizer over the one that is there, where the source has one."""
    if (source / "tokenizer_config.json").is_file():
        _copy(source, target, TOKENIZER)


def _copy(source: Path, target: Path, patterns: tuple[str, ...]) -> None:
    for path in {path for pattern in patterns for path in source.glob(pattern)}:
        is_weights = path.suffix in (".safetensors", ".bin") or path.name.endswith(".index.json")
        if path.is_file() and not is_weights and path.name not in NOT_OURS:
            shutil.copyfile(path, target / path.name)
