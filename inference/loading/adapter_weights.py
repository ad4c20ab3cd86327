"""An adapter's numbers, read from safetensors and checked against what its folder says."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from safetensors import SafetensorError, safe_open
from torch import Tensor

from inference.exceptions import ModelLoadError
from inference.loading.adapter_config import AdapterConfig

WEIGHTS = "adapter_model.safetensors"
PICKLED = "adapter_model.bin"

NAME = re.compile(
    r"(?:base_model\.model\.)?(?P<module>.+?)\."
    r"(?:(?P<part>lora_A|lora_B|lora_magnitude_vector)(?:\.weight)?"
    r"|(?P<table>lora_embedding_A|lora_embedding_B)"
    r"|(?:base_layer\.|modules_to_save\.|original_module\.)?(?P<whole>weight|bias))"
)
"""How peft names an adapter's tensors."""


@dataclass(frozen=True, slots=True)
class Factors:
    """What an adapter adds to one weight: `up` times `down`.

    Attributes:
        down: [rank, in].
        up: [out, rank], scaling included.
        magnitude: the length each row gets after adding, [out]; None where lengths are free.
        is_embedding: whether the weight is a table of vectors, [in, out], and not a projection.
    """

    down: Tensor
    up: Tensor
    magnitude: Tensor | None = None
    is_embedding: bool = False


@dataclass(frozen=True, slots=True)
class AdapterTensors:
    """All of an adapter.

    Attributes:
        factors: by module of the base.
        replaced: tensors of the base that it has its own of, by their names there.
    """

    factors: Mapping[str, Factors]
    replaced: Mapping[str, Tensor]


def read_adapter(folder: Path, config: AdapterConfig) -> AdapterTensors:
    """Return an adapter's numbers, on the CPU, as they are stored.

    Raises:
        ModelLoadError: there are no safetensors, or they are not what the configuration says.
    """
    tensors = _read(folder)
    parts: dict[str, dict[str, Tensor]] = {}
    replaced = {}
    for name, tensor in tensors.items():
        match = NAME.fullmatch(name)
        if match is None:
            raise ModelLoadError(f"{folder.name!r} has a tensor {name!r}, which is not known here")
        if match["whole"]:
            replaced[f"{match['module']}.{match['whole']}"] = tensor
        else:
            parts.setdefault(match["module"], {})[match["part"] or match["table"]] = tensor
    factors = {
        module: _factors(module, found, config, folder.name) for module, found in parts.items()
    }
    if not factors:
        raise ModelLoadError(f"{folder.name!r} holds no low-rank weights")
    return AdapterTensors(factors, replaced)


def read_served_adapter(folder: Path, config: AdapterConfig) -> dict[str, tuple[Tensor, Tensor]]:
    """Return what an adapter adds to each projection: `down` [rank, in] and `up` [out, rank].

    Raises:
        ModelLoadError: it cannot be read, or also changes the base in ways that answers of the
            same batch cannot have apart.
    """
    way_out = "put it into the base's weights with `manage.py merge_lora`"
    if config.is_dora:
        raise ModelLoadError(
            f"{folder.name!r} is a DoRA adapter, which needs whole weights; {way_out}"
        )
    tensors = read_adapter(folder, config)
    if config.whole_modules or tensors.replaced or config.biases != "none":
        changed = next(iter([*tensors.replaced, *config.whole_modules, "biases"]))
        raise ModelLoadError(f"{folder.name!r} replaces {changed} of its base; {way_out}")
    tables = [module for module, found in tensors.factors.items() if found.is_embedding]
    if tables:
        raise ModelLoadError(f"{folder.name!r} changes the embedding {tables[0]}; {way_out}")
    return {module: (found.down, found.up) for module, found in tensors.factors.items()}


def _read(folder: Path) -> dict[str, Tensor]:
    path = folder / WEIGHTS
    if not path.is_file():
        if (folder / PICKLED).is_file():
            raise ModelLoadError(
                f"{folder.name!r} has pickled weights only, which can run code and are not loaded;"
                f" save the adapter anew as {WEIGHTS}"
            )
        raise ModelLoadError(f"{folder.name!r} has no {WEIGHTS}")
    try:
        with safe_open(path, framework="pt") as file:
            return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (no dict)
    except (OSError, SafetensorError) as error:
        raise ModelLoadError(f"{WEIGHTS} of {folder.name!r} cannot be read: {error}") from error


def _factors(module: str, parts: Mapping[str, Tensor], config: AdapterConfig, name: str) -> Factors:
    """Put the parts of one module together."""
    is_embedding = "lora_embedding_A" in parts
    keys = ("lora_embedding_A", "lora_embedding_B") if is_embedding else ("lora_A", "lora_B")
    try:
        down, up = (parts[key] for key in keys)
    except KeyError as error:
        raise ModelLoadError(f"{name!r} lacks {error} of {module}") from error
    rank = config.rank_of(module)
    if down.dim() != 2 or up.dim() != 2 or (down.shape[0], up.shape[1]) != (rank, rank):
        raise ModelLoadError(
            f"{name!r} should have rank {rank} in {module}, and has shapes"
            f" {tuple(down.shape)} and {tuple(up.shape)}"
        )
    scaled = up.float() * config.scaling_of(module)
    return Factors(down.float(), scaled, parts.get("lora_magnitude_vector"), is_embedding)
