"""What an adapter's folder says of itself: its kind, its base, its ranks and its scaling."""

import json
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from inference.exceptions import ModelLoadError

CONFIG = "adapter_config.json"
CONFIG_LIMIT_BYTES = 1_000_000
LARGEST_RANK = 8192
PATTERN_LIMIT_CHARS = 200

REPEATED_GROUP = re.compile(r"\)[*+{]")
MOST_REPEATS = 4
"""A pattern comes with the adapter; one that repeats more could take for ever to match."""

Value = TypeVar("Value", int, float)

PLAIN_STARTS = (True, False, None, "gaussian", "eva", "orthogonal")
"""Ways to begin training that leave the base as it is; the others change its weights too."""

UNKNOWN_KINDS = (
    "alora_invocation_tokens", "arrow_config", "kasa_config", "layer_replication", "lora_bias",
    "megatron_config", "monteclora_config", "target_parameters", "trainable_token_indices",
    "use_bdlora", "use_qalora",
)  # fmt: skip
"""Settings of peft that make another computation of LoRA."""


@dataclass(frozen=True, slots=True)
class AdapterConfig:
    """How an adapter's numbers are to be read.

    Attributes:
        base: folder or hub id of the model it was made for; empty where the file does not say.
        rank: of its factors, where no pattern says otherwise.
        alpha: scaling times rank (or times its root), where no pattern says otherwise.
        by_root: whether the scaling divides by the root of the rank.
        ranks: ranks by pattern of the module's name.
        alphas: alphas the same way.
        is_transposed: whether the base keeps these weights as [in, out], as GPT-2 does.
        is_dora: whether the merged rows get lengths of their own.
        whole_modules: modules of the base that the adapter replaces.
        biases: which biases of the base it replaces: none, all or lora_only.

    Source:
        huggingface.co/docs/peft, `LoraConfig`; Kalajdzievski 2023, "A Rank Stabilization Scaling
        Factor for Fine-Tuning with LoRA" (the root).
    """

    base: str
    rank: int
    alpha: float
    by_root: bool = False
    ranks: Mapping[str, int] = field(default_factory=dict)
    alphas: Mapping[str, float] = field(default_factory=dict)
    is_transposed: bool = False
    is_dora: bool = False
    whole_modules: tuple[str, ...] = ()
    biases: str = "none"

    def rank_of(self, module: str) -> int:
        """Return the rank of a module's factors."""
        return _by_pattern(self.ranks, module, self.rank)

    def scaling_of(self, module: str) -> float:
        """Return the factor on what the adapter adds to a module."""
        rank = self.rank_of(module)
        return _by_pattern(self.alphas, module, self.alpha) / (
            math.sqrt(rank) if self.by_root else rank
        )


def is_adapter(folder: Path) -> bool:
    """Whether a folder holds an adapter and no model of its own."""
    return (folder / CONFIG).is_file() and not (folder / "config.json").is_file()


def read_adapter_config(folder: Path) -> AdapterConfig:
    """Return what an adapter's folder says.

    Raises:
        ModelLoadError: it holds none, one of another kind than LoRA, or numbers out of range.
    """
    values = _read(folder)
    kind = str(values.get("peft_type", "")).upper()
    if kind != "LORA":
        raise ModelLoadError(f"{folder.name!r} is a {kind or 'nameless'} adapter; LoRA is known")
    start = values.get("init_lora_weights", True)
    if start not in PLAIN_STARTS:
        raise ModelLoadError(
            f"{folder.name!r} began with {start}, which changes the base's weights too; save it"
            " anew with peft's path_initial_model_for_weight_conversion"
        )
    unknown = [name for name in UNKNOWN_KINDS if values.get(name)]
    if unknown:
        raise ModelLoadError(f"{folder.name!r} uses {unknown[0]}, which is not known here")
    try:
        config = AdapterConfig(
            base=str(values.get("base_model_name_or_path") or ""),
            rank=_rank(values["r"]),
            alpha=_number(values["lora_alpha"]),
            by_root=bool(values.get("use_rslora")),
            ranks=_patterns(values.get("rank_pattern"), _rank),
            alphas=_patterns(values.get("alpha_pattern"), _number),
            is_transposed=bool(values.get("fan_in_fan_out")),
            is_dora=bool(values.get("use_dora")),
            whole_modules=tuple(map(str, values.get("modules_to_save") or ())),
            biases=str(values.get("bias") or "none"),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ModelLoadError(f"{CONFIG} of {folder.name!r} is not usable: {error!r}") from error
    return config


def _read(folder: Path) -> dict[str, Any]:
    path = folder / CONFIG
    try:
        if path.stat().st_size > CONFIG_LIMIT_BYTES:
            raise ValueError("it is too large")
        values = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ModelLoadError(f"{folder.name!r} has no {CONFIG}, so it is no adapter") from error
    except (OSError, ValueError, RecursionError) as error:
        raise ModelLoadError(f"{CONFIG} of {folder.name!r} cannot be read: {error}") from error
    if not isinstance(values, dict):
        raise ModelLoadError(f"{CONFIG} of {folder.name!r} holds no object")
    return values


def _rank(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= LARGEST_RANK:
        raise ValueError(f"the rank must be from 1 to {LARGEST_RANK}, not {value!r}")
    return value


def _number(value: Any) -> float:
    number = float(value)
    if not math.isfinite(number):
        raise ValueError(f"{value!r} is no finite number")
    return number


def _patterns(values: Any, read: Callable[[Any], Value]) -> dict[str, Value]:
    found = {str(pattern): read(value) for pattern, value in (values or {}).items()}
    for pattern in found:
        repeats = sum(pattern.count(sign) for sign in "*+{")
        is_long = len(pattern) > PATTERN_LIMIT_CHARS
        if is_long or repeats > MOST_REPEATS or REPEATED_GROUP.search(pattern):
            raise ValueError(f"the pattern {pattern[:40]!r} is too intricate")
        try:
            re.compile(pattern)
        except re.error as error:
            raise ValueError(f"{pattern!r} is no pattern") from error
    return found


def _by_pattern(values: Mapping[str, Value], module: str, default: Value) -> Value:
    """Return the value of the first pattern that matches the end of a module's name."""
    for pattern, value in values.items():
        if re.match(rf"(?:.*\.)?(?:{pattern})$", module):
            return value
    return default
