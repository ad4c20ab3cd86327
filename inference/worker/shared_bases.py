"""Models that are adapters of the same base become one model with several adapters."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from inference.exceptions import InvalidRequestError, ModelLoadError
from inference.loading.adapter_config import is_adapter, read_adapter_config
from inference.loading.sources import locate
from inference.worker.adapters import LARGEST_COUNT, AdapterSpec, main_names
from inference.worker.model_specs import ModelSpec

HINTS = ("lora", "peft", "adapter")
"""What ids of adapters on the hub are called; asking for all others would fetch models twice."""


def with_adapters(specs: Sequence[ModelSpec], adapters: Iterable[AdapterSpec]) -> list[ModelSpec]:
    """Put adapters that were asked for by name beside their base.

    The only model is everyone's base; of several it is the one that an adapter names.

    Raises:
        InvalidRequestError: no model is the base of an adapter, or there are too many.
        ModelLoadError: an adapter's folder cannot be read.
    """
    result = list(specs)
    for adapter in adapters:
        place = 0 if len(result) == 1 else _place_of(_base_of(adapter), result)
        if place is None:
            raise InvalidRequestError(
                f"none of the models is the base of adapter {adapter.names[0]!r}; give its base as"
                " the only --model-path"
            )
        spec = result[place]
        result[place] = replace(
            spec, names=spec.names + adapter.names, adapters=(*spec.adapters, adapter)
        )
    if any(len(spec.adapters) > LARGEST_COUNT for spec in result):
        raise InvalidRequestError(f"a worker serves at most {LARGEST_COUNT} adapters of a base")
    return result


def _base_of(adapter: AdapterSpec) -> str:
    return read_adapter_config(locate(adapter.path)).base


def share_bases(specs: Sequence[ModelSpec]) -> list[ModelSpec]:
    """Return the models to load: a base once, with all its adapters, whoever asked for them.

    Raises:
        ModelLoadError: an adapter cannot be found, or does not name its base.
    """
    result: list[ModelSpec] = []
    for spec in map(_on_its_base, specs):
        place = _place_of(spec.path, result)
        if place is None or not (spec.adapters or result[place].adapters):
            result.append(spec)  # the same model twice is two copies, as ever
            continue
        other = result[place]
        result[place] = replace(
            other, names=other.names + spec.names, adapters=other.adapters + spec.adapters
        )
    return result


def _on_its_base(spec: ModelSpec) -> ModelSpec:
    """Return the base of an adapter with that adapter; a model is returned as it is."""
    folder = _adapter_folder(spec)
    if folder is None:
        return spec
    base = spec.base_model_path or read_adapter_config(folder).base
    if not base:
        raise ModelLoadError(f"{spec.path!r} does not name its base; give --base-model-path")
    own = [name for name in spec.names if name not in main_names(spec.adapters)]
    adapter = AdapterSpec(spec.path, tuple(own))
    return replace(spec, path=base, base_model_path=None, adapters=(adapter, *spec.adapters))


def _adapter_folder(spec: ModelSpec) -> Path | None:
    """Return the folder of a spec that is an adapter's; None for a model."""
    folder = Path(spec.path).expanduser()
    if not folder.is_dir():
        if not any(hint in spec.path.lower() for hint in HINTS):
            return None
        folder = locate(spec.path, use_modelscope=spec.load_options.get("use_modelscope", False))
    return folder if is_adapter(folder) else None


def _place_of(path: str, specs: Sequence[ModelSpec]) -> int | None:
    """Return where the model of a path is among others."""
    keys = [_key(spec.path) for spec in specs]
    return keys.index(_key(path)) if _key(path) in keys else None


def _key(path: str) -> str:
    """Return the same for all ways to write a folder."""
    folder = Path(path).expanduser()
    return str(folder.resolve()) if folder.is_dir() else path
