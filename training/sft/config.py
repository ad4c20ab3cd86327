"""The recipe of a run: what is trained, on what and how, read from TOML."""

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Any, TypeVar, get_type_hints

from training.exceptions import RecipeError


@dataclass(frozen=True, slots=True)
class ModelShape:
    """The Llama that is built from scratch; sizes are numbers of features, heads and layers."""

    hidden_size: int = 128
    layers: int = 4
    heads: int = 4
    intermediate_size: int = 384
    context_length: int = 1024  # tokens


@dataclass(frozen=True, slots=True)
class TokenizerRecipe:
    """How the tokenizer is trained: from the first `dialogues` dialogues of the corpus."""

    vocab_size: int = 2560
    dialogues: int = 12000


@dataclass(frozen=True, slots=True)
class Schedule:
    """How the weights are optimised.

    Attributes:
        steps: optimiser steps.
        batch_size: dialogues a step.
        learning_rate: reached after `warmup_steps`, held, and lowered at the end.
        decay_share: share of the steps, the last ones, over which the rate falls to nothing. The
            steps before do not depend on `steps`, so a run can be made longer later.
        single_turn_steps: steps at the beginning whose dialogues have one turn.
        weight_decay: AdamW's.
        max_grad_norm: gradients are clipped to this length.
        max_length: longest dialogue in tokens; more is cut at the end of a turn.
        save_steps: a checkpoint every so many steps.
        logging_steps: a metric every so many steps.
        threads: torch's threads; tiny models run best on one.
    """

    steps: int = 3000
    batch_size: int = 8
    learning_rate: float = 3e-3
    warmup_steps: int = 30
    decay_share: float = 0.3
    single_turn_steps: int = 0
    weight_decay: float = 0.1
    max_grad_norm: float = 1.0
    max_length: int = 1024
    save_steps: int = 500
    logging_steps: int = 50
    threads: int = 1


@dataclass(frozen=True, slots=True)
class Recipe:
    """A run from start to finish.

    Attributes:
        name: what the finished model is called.
        description: one sentence for the model's card and the models page.
        corpus: where dialogues come from; "dialogues" is the built-in generator.
        seed: of the weights, the order and the dialogues.
        dtype: of the exported weights, "float16" or "float32".
    """

    name: str
    description: str = ""
    corpus: str = "dialogues"
    seed: int = 1
    dtype: str = "float16"
    model: ModelShape = field(default_factory=ModelShape)
    tokenizer: TokenizerRecipe = field(default_factory=TokenizerRecipe)
    schedule: Schedule = field(default_factory=Schedule)


_T = TypeVar("_T")


def read_recipe(path: Path, overrides: Sequence[str] = ()) -> Recipe:
    """Read a recipe file and set values over it.

    Args:
        path: a TOML file with the fields of `Recipe`; sections are its parts.
        overrides: texts like "schedule.steps=100"; the value is read as TOML, else as a text.

    Raises:
        RecipeError: the file cannot be read, or names something a recipe does not have.
    """
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise RecipeError(f"cannot read the recipe {path}: {error}") from error
    for override in overrides:
        key, sign, text = override.partition("=")
        if not sign or not key.strip():
            raise RecipeError(f"{override!r} is not of the form key=value")
        _set(values, key.strip().split("."), _parse_value(text.strip()))
    return recipe_from(values)


def recipe_from(values: Mapping[str, Any]) -> Recipe:
    """Build a recipe from plain data, checking names, types and ranges.

    Raises:
        RecipeError: an unknown name, a wrong type or an impossible value.
    """
    recipe = _build(Recipe, values, where="")
    _check_ranges(recipe)
    return recipe


def _parse_value(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def _set(values: dict[str, Any], keys: Sequence[str], value: Any) -> None:
    for key in keys[:-1]:
        values = values.setdefault(key, {})
        if not isinstance(values, dict):
            raise RecipeError(f"{key!r} has no parts to set")
    values[keys[-1]] = value


def _build(kind: type[_T], values: Mapping[str, Any], *, where: str) -> _T:
    hints = get_type_hints(kind)
    unknown = sorted(set(values) - set(hints))
    if unknown:
        known = ", ".join(hints)
        raise RecipeError(f"unknown key {where + unknown[0]!r}; known here: {known}")
    chosen: dict[str, Any] = {}
    for name, value in values.items():
        expected = hints[name]
        if isinstance(expected, type) and is_dataclass(expected):
            if not isinstance(value, Mapping):
                raise RecipeError(f"{where + name!r} must be a section")
            chosen[name] = _build(expected, value, where=f"{where}{name}.")
        else:
            chosen[name] = _checked(expected, value, name=where + name)
    if kind is Recipe and "name" not in chosen:
        raise RecipeError("a recipe needs a 'name'")
    return kind(**chosen)


def _checked(expected: type, value: Any, *, name: str) -> Any:
    if expected is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, expected) or isinstance(value, bool):
        raise RecipeError(f"{name!r} must be of type {expected.__name__}, not {value!r}")
    return value


def _check_ranges(recipe: Recipe) -> None:
    if not NAME.fullmatch(recipe.name):
        raise RecipeError(f"'name' must be letters, digits and . _ -, not {recipe.name!r}")
    if recipe.tokenizer.vocab_size < SMALLEST_VOCABULARY:
        raise RecipeError(f"'tokenizer.vocab_size' must be at least {SMALLEST_VOCABULARY}")
    for part in (recipe.model, recipe.tokenizer, recipe.schedule):
        for item in fields(part):
            value = getattr(part, item.name)
            least = 0 if item.name in ZERO_IS_FINE else 1e-12
            if not least <= value < float("inf"):
                raise RecipeError(f"{item.name!r} cannot be {value}")
    if recipe.schedule.decay_share > 1:
        raise RecipeError(f"'decay_share' cannot be {recipe.schedule.decay_share}")
    if recipe.model.hidden_size % recipe.model.heads:
        raise RecipeError("'model.hidden_size' must be a multiple of 'model.heads'")
    if recipe.schedule.max_length > recipe.model.context_length:
        raise RecipeError("'schedule.max_length' is larger than 'model.context_length'")
    if recipe.dtype not in ("float16", "float32"):
        raise RecipeError(f"'dtype' must be float16 or float32, not {recipe.dtype!r}")


NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")  # it names a folder, a model and a queue
SMALLEST_VOCABULARY = 300  # 256 bytes, the special tokens, and something to learn
ZERO_IS_FINE = frozenset({"warmup_steps", "weight_decay", "single_turn_steps"})
