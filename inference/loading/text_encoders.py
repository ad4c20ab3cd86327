"""What a folder says of a model that turns texts into vectors: its head, its pooling, its limit."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from transformers import PreTrainedConfig

from inference.exceptions import ModelLoadError
from inference.generation import Pooling

HEADLESS = ("Model", "ForMaskedLM", "ForPreTraining")
"""How classes are called whose models cannot generate."""

GENERATING = ("LMHeadModel", "DoubleHeadsModel")
"""Exceptions to that, of the older kind."""

POOLINGS: dict[str, Pooling] = {"mean": "mean", "cls": "cls", "lasttoken": "last"}
FLAGS: dict[str, str] = {
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_cls_token": "cls",
    "pooling_mode_lasttoken": "lasttoken",
    "pooling_mode_max_tokens": "max",
    "pooling_mode_mean_sqrt_len_tokens": "mean_sqrt_len_tokens",
    "pooling_mode_weightedmean_tokens": "weightedmean",
}
"""The older way of writing the pooling: one flag each."""

Held = TypeVar("Held", list[Any], dict[str, Any])

KNOWN_MODULES = frozenset({"transformer", "pooling", "normalize"})


@dataclass(frozen=True, slots=True)
class EncoderFacts:
    """How texts become vectors.

    Attributes:
        pooling: of a text's states.
        max_tokens: how long a text may be; None where the files do not say.
    """

    pooling: Pooling = "mean"
    max_tokens: int | None = None


def has_head(config: PreTrainedConfig) -> bool:
    """Whether the weights include a head for generation; where nothing is said, they do."""
    names: list[str] = config.architectures or []
    return not names or any(
        name.endswith(GENERATING) or not name.endswith(HEADLESS) for name in names
    )


def read_encoder_facts(folder: Path) -> EncoderFacts:
    """Return what the files of sentence-transformers in a model's folder say, if there are any.

    Args:
        folder: the model's.

    Raises:
        ModelLoadError: vectors are made in a way that is not known here, or a file holds something
            else than it should.

    Source:
        sbert.net, "Creating Custom Models" (modules.json, 1_Pooling/config.json).
    """
    pooling: Pooling = "mean"
    for module in _read(folder / "modules.json", list):
        kind = str(module["type"]).rpartition(".")[2].lower()
        if kind not in KNOWN_MODULES:
            raise ModelLoadError(
                f"{folder.name!r} puts its vectors through a {kind} module, which is not known here"
            )
        if kind == "pooling":
            place = Path(str(module["path"])).name  # a folder beside the file, nowhere else
            pooling = _pooling(_read(folder / place / "config.json", dict), folder.name)
    limit = _read(folder / "sentence_bert_config.json", dict).get("max_seq_length")
    is_limit = isinstance(limit, int) and limit > 0
    return EncoderFacts(pooling, limit if is_limit else None)


def _pooling(config: dict[str, Any], name: str) -> Pooling:
    """Read a pooling from its configuration, newer or older."""
    given = config.get("pooling_mode") or [mode for flag, mode in FLAGS.items() if config.get(flag)]
    modes = [given] if isinstance(given, str) else list(given or ["mean"])
    if len(modes) != 1 or modes[0] not in POOLINGS:
        raise ModelLoadError(
            f"{name!r} pools by {' and '.join(map(str, modes))}; known here are"
            f" {', '.join(POOLINGS)}"
        )
    return POOLINGS[modes[0]]


def _read(path: Path, kind: type[Held]) -> Held:
    """Return what a JSON file holds; nothing of that kind where there is no file."""
    if not path.is_file():
        return kind()
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ModelLoadError(f"{path.name} of {path.parent.name!r} is no JSON: {error}") from error
    if not isinstance(found, kind):
        raise ModelLoadError(f"{path.name} of {path.parent.name!r} holds no {kind.__name__}")
    return found
