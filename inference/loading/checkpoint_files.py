"""What safetensors files say of themselves before a weight is read: names, shapes, sizes."""

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from inference.exceptions import ModelLoadError

INDEX = "model.safetensors.index.json"
LENGTH_BYTES = 8
HEADER_LIMIT_BYTES = 100_000_000
"""The largest header the format allows."""

INDEX_LIMIT_BYTES = 200_000_000

ITEM_BITS = {
    "F4": 4, "F6_E2M3": 6, "F6_E3M2": 6, "BOOL": 8, "U8": 8, "I8": 8, "F8_E4M3": 8, "F8_E5M2": 8,
    "F8_E8M0": 8, "I16": 16, "U16": 16, "F16": 16, "BF16": 16, "I32": 32, "U32": 32, "F32": 32,
    "F64": 64, "I64": 64, "U64": 64, "C64": 64,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class StoredTensor:
    """One tensor of a file.

    Attributes:
        name: in the state of the model.
        dtype: the format's name, such as "BF16".
        shape: its sizes.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]

    @property
    def numbers(self) -> int:
        """How many numbers it holds."""
        return math.prod(self.shape)

    @property
    def stored_bytes(self) -> int:
        """What it takes in the file."""
        return -(-self.numbers * ITEM_BITS[self.dtype] // 8)

    @property
    def is_dense(self) -> bool:
        """Whether it holds ordinary numbers, which are cast to the precision of the model."""
        return self.dtype in ("F16", "BF16", "F32", "F64")


def stored_tensors(folder: Path) -> list[StoredTensor]:
    """Return all tensors of a model's folder; only headers are read.

    Raises:
        ModelLoadError: a shard is missing, a file is cut off or no safetensors file at all.
    """
    return [tensor for path in weight_files(folder) for tensor in tensors_in(path)]


def weight_files(folder: Path) -> list[Path]:
    """Return the safetensors files a model is loaded from: those of its index, if it has one.

    Raises:
        ModelLoadError: the index cannot be read, or names a file that is not there.
    """
    index = folder / INDEX
    single = folder / "model.safetensors"
    if single.is_file() or not index.is_file():
        return [single] if single.is_file() else sorted(folder.glob("*.safetensors"))
    try:
        if index.stat().st_size > INDEX_LIMIT_BYTES:
            raise ValueError("it is too large")
        weight_map = json.loads(index.read_text(encoding="utf-8"))["weight_map"]
        names = sorted(set(map(str, weight_map.values())))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelLoadError(f"{INDEX} of {folder.name!r} cannot be read: {error!r}") from error
    missing = [name for name in names if not (folder / Path(name).name).is_file()]
    if missing:
        raise ModelLoadError(
            f"{folder.name!r} lacks {len(missing)} of its {len(names)} weight files, such as"
            f" {missing[0]!r}; copy or fetch the folder again"
        )
    return [folder / Path(name).name for name in names]


def tensors_in(path: Path) -> Iterator[StoredTensor]:
    """Yield the tensors of one safetensors file, in the order of its header.

    Raises:
        ModelLoadError: it is no safetensors file, or shorter than its header says.

    Source:
        huggingface.co/docs/safetensors (8 bytes of length, JSON header, data).
    """
    header, data_bytes = _read_header(path)
    end = 0
    tensors = []
    try:
        for name, entry in header.items():
            if name == "__metadata__":
                continue
            tensor = StoredTensor(name, str(entry["dtype"]), tuple(map(int, entry["shape"])))
            begin, stop = map(int, entry["data_offsets"])
            if tensor.dtype not in ITEM_BITS or stop - begin != tensor.stored_bytes:
                raise ValueError(f"{name} has sizes that contradict each other")
            end = max(end, stop)
            tensors.append(tensor)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ModelLoadError(f"{_called(path)} is no safetensors file: {error}") from error
    if end > data_bytes:
        raise ModelLoadError(
            f"{_called(path)} is cut off: {data_bytes:,} of {end:,} bytes of weights are there;"
            " copy or fetch it again"
        )
    yield from tensors


def _read_header(path: Path) -> tuple[dict[str, Any], int]:
    """Return a file's header and how many bytes of data follow it."""
    size = path.stat().st_size
    with path.open("rb") as file:
        length = int.from_bytes(file.read(LENGTH_BYTES), "little")
        if length > HEADER_LIMIT_BYTES:
            raise ModelLoadError(
                f"{_called(path)} is no safetensors file: it does not begin like one"
            )
        if LENGTH_BYTES + length > size:
            raise ModelLoadError(
                f"{_called(path)} is cut off: it has {size:,} bytes, its header alone would take"
                f" {LENGTH_BYTES + length:,}; copy or fetch it again"
            )
        try:
            header = json.loads(file.read(length))
        except ValueError as error:
            raise ModelLoadError(
                f"{_called(path)} is no safetensors file: its header is no JSON"
            ) from error
    if not isinstance(header, dict):
        raise ModelLoadError(f"{_called(path)} is no safetensors file: its header is no object")
    return header, size - LENGTH_BYTES - length


def _called(path: Path) -> str:
    """Name a file by its folder, as every model has one of the same name."""
    return f"{path.name} of {path.parent.name!r}"
