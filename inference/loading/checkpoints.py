"""Checkpoints read tensor by tensor and written shard by shard, never whole in memory."""

import json
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from inference.exceptions import ConversionError
from inference.loading.checkpoint_files import INDEX, StoredTensor, tensors_in, weight_files

SHARD_BYTES = 1024**3
"""Most a shard holds, unless one tensor is larger. A conversion takes up to four times as much
memory: the shard, its bytes as they are written, and the tensors that are being turned."""

Watch = Callable[[int, int], None]
"""Hears how many bytes of how many are done."""


class StoredCheckpoint:
    """The tensors of a model's folder, each read when it is asked for.

    Args:
        folder: with safetensors weights.

    Attributes:
        tensors: what there is, by name, in the order of the files.

    Raises:
        ModelLoadError: a shard is missing or broken.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._path_of: dict[str, Path] = {}
        self.tensors: dict[str, StoredTensor] = {}
        for path in weight_files(folder):
            for tensor in tensors_in(path):
                self.tensors[tensor.name] = tensor
                self._path_of[tensor.name] = path
        if not self.tensors:
            raise ConversionError(f"{folder.name!r} has no safetensors weights")
        self._files: dict[Path, Any] = {}
        self._stack = ExitStack()

    @property
    def stored_bytes(self) -> int:
        """Size of all tensors."""
        return sum(tensor.stored_bytes for tensor in self.tensors.values())

    def read(self, name: str) -> Tensor:
        """Return a tensor, on the CPU."""
        path = self._path_of[name]
        if path not in self._files:
            self._files[path] = self._stack.enter_context(safe_open(path, framework="pt"))
        tensor: Tensor = self._files[path].get_tensor(name)
        return tensor

    def __enter__(self) -> Self:
        """Open files as they are needed."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close them."""
        self._files.clear()
        self._stack.close()


class CheckpointWriter:
    """Writes tensors into shards of a folder, and the index of them.

    Args:
        folder: an empty one.
        shard_bytes: what a shard may hold.
    """

    def __init__(self, folder: Path, *, shard_bytes: int = SHARD_BYTES) -> None:
        self._folder = folder
        self._shard_bytes = shard_bytes
        self._pending: dict[str, Tensor] = {}
        self._pending_bytes = 0
        self._shards: list[list[str]] = []
        self._total_bytes = 0

    def add(self, name: str, tensor: Tensor) -> None:
        """Take the next tensor; a full shard is written before."""
        if self._pending and self._pending_bytes + tensor.nbytes > self._shard_bytes:
            self._write_shard()
        # The format refuses tensors that share memory, as tied ones of a pickle do.
        self._pending[name] = tensor.clone(memory_format=torch.contiguous_format)
        self._pending_bytes += tensor.nbytes
        self._total_bytes += tensor.nbytes

    def finish(self) -> None:
        """Write what is left, name the shards by their number, and tell where each tensor is."""
        self._write_shard()
        count = len(self._shards)
        if count == 1:
            self._shard_path(0).rename(self._folder / "model.safetensors")
            return
        weight_map: dict[str, str] = {}
        for number, names in enumerate(self._shards):
            file = f"model-{number + 1:05}-of-{count:05}.safetensors"
            self._shard_path(number).rename(self._folder / file)
            weight_map |= dict.fromkeys(names, file)
        index = {"metadata": {"total_size": self._total_bytes}, "weight_map": weight_map}
        (self._folder / INDEX).write_text(json.dumps(index, indent=2), encoding="utf-8")

    def _write_shard(self) -> None:
        if not self._pending:
            return
        save_file(self._pending, self._shard_path(len(self._shards)), metadata={"format": "pt"})
        self._shards.append(list(self._pending))
        self._pending.clear()
        self._pending_bytes = 0

    def _shard_path(self, number: int) -> Path:
        return self._folder / f"part-{number:05}.safetensors"


@contextmanager
def new_folder(
    target: Path, *, sources: Sequence[Path], needed_bytes: int, force: bool
) -> Iterator[Path]:
    """Give a folder to write into, which takes the target's name when all went well.

    Nobody ever sees half a checkpoint: what is written lies beside the target until it is whole,
    and is removed if something goes wrong.

    Args:
        target: where the result shall be.
        sources: folders that are being read.
        needed_bytes: what will be written.
        force: whether a target that is there already is replaced.

    Raises:
        ConversionError: the target is there already, is one of the sources, or the disk is full.
    """
    target = target.expanduser().absolute()
    if any(target.resolve() == source.resolve() for source in sources):
        raise ConversionError(f"{target} is read from; give another folder to write to")
    is_taken = target.exists() and (not target.is_dir() or any(target.iterdir()))
    if is_taken and not force:
        raise ConversionError(f"{target} is there already; --force replaces it")
    if is_taken and not _is_checkpoint(target):
        raise ConversionError(f"{target} holds something else than a model; it is not replaced")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        free_bytes = shutil.disk_usage(target.parent).free
        if free_bytes < needed_bytes:
            raise ConversionError(
                f"{target.parent} has {free_bytes / 1e9:.1f} GB free, the result needs"
                f" {needed_bytes / 1e9:.1f} GB"
            )
        with tempfile.TemporaryDirectory(prefix=f".{target.name}.", dir=target.parent) as aside:
            whole = Path(aside) / "whole"
            whole.mkdir()
            yield whole
            _put(whole, target, Path(aside) / "replaced")
    except OSError as error:
        raise ConversionError(f"{target} cannot be written: {error}") from error


def _put(folder: Path, target: Path, replaced: Path) -> None:
    """Give a folder its name; what had the name comes back should that fail."""
    if target.exists():
        target.rename(replaced)
    try:
        folder.rename(target)
    except OSError:
        if replaced.exists():
            replaced.rename(target)
        raise


def _is_checkpoint(folder: Path) -> bool:
    return folder.is_dir() and (folder / "config.json").is_file()
