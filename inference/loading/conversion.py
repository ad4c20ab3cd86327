"""A checkpoint in another number format, and pickled weights as safetensors."""

import pickle
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from inference.exceptions import ConversionError
from inference.loading.checkpoints import (
    SHARD_BYTES,
    CheckpointWriter,
    StoredCheckpoint,
    Watch,
    new_folder,
)
from inference.loading.stored_config import copy_beside, read_stored_config

PICKLES = "pytorch_model*.bin"

DTYPES = {"float16": torch.float16, "bfloat16": torch.bfloat16, "float32": torch.float32}


def convert_checkpoint(
    source: Path,
    target: Path,
    *,
    dtype: str = "float16",
    from_pickle: bool = False,
    force: bool = False,
    shard_bytes: int = SHARD_BYTES,
    watch: Watch | None = None,
) -> None:
    """Write a checkpoint in another number format, as safetensors, one shard in memory at a time.

    Args:
        source: a model's folder.
        target: folder to write to.
        dtype: "float16", "bfloat16" or "float32"; whole numbers stay as they are.
        from_pickle: read pickled weights, by an unpickler that makes tensors and nothing else.
        force: replace a model that is there already.
        shard_bytes: largest shard.
        watch: hears of the progress.

    Raises:
        ConversionError: the source is quantized or has no weights to read, a number is too large
            for the format, a pickle holds something else than tensors, or the target cannot be
            written.
        ModelLoadError: a safetensors file is broken.
    """
    if read_stored_config(source).get("quantization_config"):
        raise ConversionError(f"{source.name!r} is quantized; convert the weights it was made of")
    total, needed = _sizes(source, DTYPES[dtype], from_pickle=from_pickle)
    done = 0
    with new_folder(target, sources=(source,), needed_bytes=needed, force=force) as folder:
        writer = CheckpointWriter(folder, shard_bytes=shard_bytes)
        read = pickled_tensors if from_pickle else _safe_tensors
        for name, tensor in read(source):
            writer.add(name, cast(name, tensor, DTYPES[dtype]))
            done += tensor.nbytes
            if watch is not None:
                watch(min(done, total), total)
        writer.finish()
        copy_beside(source, folder, dtype=dtype)


def cast(name: str, tensor: Tensor, dtype: torch.dtype) -> Tensor:
    """Return a tensor in another number format; whole numbers stay as they are.

    Raises:
        ConversionError: a finite number is too large for the format.
    """
    if not tensor.is_floating_point():
        return tensor
    result = tensor.to(dtype)
    if bool((result.isinf() & ~tensor.isinf()).any()):
        raise ConversionError(
            f"{name} holds numbers up to {float(tensor.abs().max()):.3g}, too large for"
            f" {str(dtype).removeprefix('torch.')}; take --dtype bfloat16"
        )
    return result


def pickled_tensors(folder: Path) -> Iterator[tuple[str, Tensor]]:
    """Yield the tensors of pickled weights, file by file.

    The unpickler is torch's restricted one: it knows tensors and plain containers, and refuses
    whatever else a file asks for before anything of it runs.

    Raises:
        ConversionError: there are none, a file is broken, or it asks for something else.
    """
    for path in _pickles(folder):
        try:
            # Older files are no zip archives and cannot be mapped.
            loaded: Any = torch.load(
                path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path)
            )
        except pickle.UnpicklingError as error:
            raise ConversionError(
                f"{path.name} of {folder.name!r} holds something else than tensors, which could run"
                " code; it is not read"
            ) from error
        except (OSError, RuntimeError, ValueError, EOFError, KeyError) as error:
            raise ConversionError(f"{path.name} of {folder.name!r} is broken: {error}") from error
        if isinstance(loaded, dict) and isinstance(loaded.get("state_dict"), dict):
            loaded = loaded["state_dict"]
        if not isinstance(loaded, dict) or not all(
            isinstance(name, str) and isinstance(tensor, Tensor) for name, tensor in loaded.items()
        ):
            raise ConversionError(f"{path.name} of {folder.name!r} does not hold named tensors")
        yield from loaded.items()


def _pickles(folder: Path) -> list[Path]:
    paths = sorted(folder.glob(PICKLES))
    if not paths:
        raise ConversionError(f"{folder.name!r} has no pickled weights ({PICKLES})")
    return paths


def _safe_tensors(folder: Path) -> Iterator[tuple[str, Tensor]]:
    with StoredCheckpoint(folder) as checkpoint:
        for name in checkpoint.tensors:
            yield name, checkpoint.read(name)


def _sizes(folder: Path, dtype: torch.dtype, *, from_pickle: bool) -> tuple[int, int]:
    """Size of what will be read, and of what will be written.

    A pickle does not tell what it holds before it is read; its own size is taken for both.

    Raises:
        ConversionError: there is nothing of the kind.
    """
    if from_pickle:
        size = sum(path.stat().st_size for path in _pickles(folder))
        return size, size
    if not any(folder.glob("*.safetensors")):
        hint = "; --from-pickle reads its pickled ones" if any(folder.glob(PICKLES)) else ""
        raise ConversionError(f"{folder.name!r} has no safetensors weights{hint}")
    checkpoint = StoredCheckpoint(folder)
    written = sum(
        tensor.numbers * dtype.itemsize if tensor.is_dense else tensor.stored_bytes
        for tensor in checkpoint.tensors.values()
    )
    return checkpoint.stored_bytes, written
