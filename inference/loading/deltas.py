"""Delta weights: a fine-tuned model as its difference to a base that may not be handed on."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

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
from inference.loading.stored_config import copy_beside

COMPUTED = ("rotary_emb.inv_freq", "masked_bias", "attn.bias")
"""Tensors that older files store and models compute; one side may lack them."""


@dataclass(frozen=True, slots=True)
class DeltaReport:
    """What applying a delta to its base will give.

    Attributes:
        numbers: how many there are.
        inexact: how many will not come back exactly.
        largest_error: the largest difference of those, absolute.
    """

    numbers: int = 0
    inexact: int = 0
    largest_error: float = 0.0

    def __add__(self, other: "DeltaReport") -> "DeltaReport":
        """Put two reports together."""
        return DeltaReport(
            self.numbers + other.numbers,
            self.inexact + other.inexact,
            max(self.largest_error, other.largest_error),
        )


def make_delta(
    base: Path,
    model: Path,
    delta: Path,
    *,
    force: bool = False,
    shard_bytes: int = SHARD_BYTES,
    watch: Watch | None = None,
) -> DeltaReport:
    """Write the difference of a model to its base, tensor by tensor, in the model's number format.

    Configuration and tokenizer are the model's, so the delta has all that its model has beside
    the base. A number comes back exactly wherever model and base have the same sign and neither
    is more than twice the other, which is what fine-tuning does (Sterbenz' lemma); the report
    counts the others.

    Args:
        base: folder of the base.
        model: folder of what was made of it.
        delta: folder to write to.
        force: replace one that is there already.
        shard_bytes: largest shard.
        watch: hears of the progress.

    Raises:
        ConversionError: the two do not have the same tensors, or the folder cannot be written.
        ModelLoadError: a model cannot be read.
    """
    report = DeltaReport()
    with StoredCheckpoint(base) as bases, StoredCheckpoint(model) as models:
        check_alike(bases, models)
        total, done = models.stored_bytes, 0
        with new_folder(delta, sources=(base, model), needed_bytes=total, force=force) as folder:
            writer = CheckpointWriter(folder, shard_bytes=shard_bytes)
            for name, stored in models.tensors.items():
                tensor = models.read(name)
                if is_counted(tensor, name, bases):
                    start = bases.read(name).to(tensor.dtype)
                    difference = tensor - start
                    report += _compare(start + difference, tensor)
                    tensor = difference
                writer.add(name, tensor)
                done += stored.stored_bytes
                if watch is not None:
                    watch(done, total)
            writer.finish()
            copy_beside(model, folder)
    return report


def apply_delta(
    base: Path,
    delta: Path,
    target: Path,
    *,
    force: bool = False,
    shard_bytes: int = SHARD_BYTES,
    watch: Watch | None = None,
) -> None:
    """Write the model that a base and a delta make, tensor by tensor, in the delta's number format.

    Args:
        base: folder of the base.
        delta: folder of the delta; configuration and tokenizer come from it.
        target: folder to write to.
        force: replace a model that is there already.
        shard_bytes: largest shard.
        watch: hears of the progress.

    Raises:
        ConversionError: the two do not have the same tensors, or the folder cannot be written.
        ModelLoadError: a folder cannot be read.
    """
    with StoredCheckpoint(base) as bases, StoredCheckpoint(delta) as deltas:
        check_alike(bases, deltas)
        total, done = deltas.stored_bytes, 0
        with new_folder(target, sources=(base, delta), needed_bytes=total, force=force) as folder:
            writer = CheckpointWriter(folder, shard_bytes=shard_bytes)
            for name, stored in deltas.tensors.items():
                tensor = deltas.read(name)
                if is_counted(tensor, name, bases):
                    tensor = bases.read(name).to(tensor.dtype) + tensor
                writer.add(name, tensor)
                done += stored.stored_bytes
                if watch is not None:
                    watch(done, total)
            writer.finish()
            copy_beside(delta, folder)


def is_counted(tensor: Tensor, name: str, bases: StoredCheckpoint) -> bool:
    """Whether a tensor is stored as a difference; whole numbers and what models compute are not."""
    return tensor.is_floating_point() and name in bases.tensors and not name.endswith(COMPUTED)


def check_alike(bases: StoredCheckpoint, others: StoredCheckpoint) -> None:
    """Accept two checkpoints of the same tensors.

    Raises:
        ConversionError: one lacks a tensor of the other, or shapes differ.
    """
    ours, theirs = set(bases.tensors), set(others.tensors)
    _refuse_missing(ours - theirs, others.folder.name)
    _refuse_missing(theirs - ours, bases.folder.name)
    for name in ours & theirs:
        before, after = bases.tensors[name].shape, others.tensors[name].shape
        if before == after:
            continue
        hint = ""
        if before[1:] == after[1:] and before[0] < after[0]:
            hint = (
                f"; {after[0] - before[0]} rows were added, as when a vocabulary grows: add them to"
                " the base first"
            )
        raise ConversionError(
            f"{name} is {before} in {bases.folder.name!r} and {after} in"
            f" {others.folder.name!r}{hint}"
        )


def _refuse_missing(names: Iterable[str], folder: str) -> None:
    missing = sorted(name for name in names if not name.endswith(COMPUTED))
    if missing:
        raise ConversionError(
            f"{folder!r} lacks {len(missing)} tensors of the other, such as {missing[0]}; the two"
            " are not the same kind of model"
        )


def _compare(found: Tensor, wanted: Tensor) -> DeltaReport:
    """Count the numbers that differ; not a number equals itself."""
    differs = (found != wanted) & ~(found.isnan() & wanted.isnan())
    inexact = int(differs.sum())
    if not inexact:
        return DeltaReport(wanted.numel())
    errors = (found[differs].double() - wanted[differs].double()).abs()
    return DeltaReport(wanted.numel(), inexact, float(errors.nan_to_num(nan=torch.inf).max()))
