"""An adapter put into the weights of its base, shard by shard."""

from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar

import torch
from torch import Tensor

from inference.exceptions import ConversionError
from inference.loading.adapter_config import read_adapter_config
from inference.loading.adapter_weights import Factors, read_adapter
from inference.loading.checkpoints import (
    SHARD_BYTES,
    CheckpointWriter,
    StoredCheckpoint,
    Watch,
    new_folder,
)
from inference.loading.stored_config import copy_beside, copy_tokenizer, read_stored_config

Part = TypeVar("Part")

HEADS = ("lm_head.weight", "embed_out.weight")
"""How heads of their own are stored; a model without one uses its embedding again."""

EMBEDDING_NAMES = ("embed_tokens", "wte", "lm_head", "embed_in", "embed_out", "word_embeddings")


def merge_adapter(
    base: Path,
    adapter: Path,
    target: Path,
    *,
    force: bool = False,
    shard_bytes: int = SHARD_BYTES,
    watch: Watch | None = None,
) -> None:
    """Write the model that a base is together with an adapter.

    Each weight is computed in single precision and rounded once to the format it has in the base.
    A tokenizer in the adapter's folder replaces that of the base.

    Args:
        base: folder of the model the adapter was made for.
        adapter: its folder.
        target: folder to write to.
        force: replace a model that is there already.
        shard_bytes: largest shard.
        watch: hears of the progress.

    Raises:
        ConversionError: the adapter does not fit, or the target cannot be written.
        ModelLoadError: base or adapter cannot be read.

    Source:
        Hu et al. 2021, "LoRA", section 4.1; Liu et al. 2024, "DoRA", equation 5.
    """
    config = read_adapter_config(adapter)
    parts = read_adapter(adapter, config)
    if read_stored_config(base).get("quantization_config"):
        raise ConversionError(f"{base.name!r} is quantized; merge into the weights it was made of")
    with StoredCheckpoint(base) as checkpoint:
        factors = _by_stored_name(parts.factors, ".weight", checkpoint, adapter.name)
        replaced = _by_stored_name(parts.replaced, "", checkpoint, adapter.name)
        _check(factors, replaced, checkpoint, is_transposed=config.is_transposed)
        total = checkpoint.stored_bytes
        with new_folder(target, sources=(base, adapter), needed_bytes=total, force=force) as folder:
            writer = CheckpointWriter(folder, shard_bytes=shard_bytes)
            done = 0
            for name, stored in checkpoint.tensors.items():
                tensor = checkpoint.read(name)
                if name in replaced:
                    tensor = replaced[name].to(tensor.dtype)
                if name in factors:
                    tensor = merged(tensor, factors[name], is_transposed=config.is_transposed)
                writer.add(name, tensor)
                done += stored.stored_bytes
                if watch is not None:
                    watch(done, total)
            writer.finish()
            copy_beside(base, folder)
            copy_tokenizer(adapter, folder)


def merged(weight: Tensor, factors: Factors, *, is_transposed: bool = False) -> Tensor:
    """Return a weight with its addition, in the number format it had.

    Args:
        weight: [out, in]; a transposed one or an embedding has it the other way round.
        factors: what is added.
        is_transposed: whether the weight is [in, out].
    """
    addition = factors.up @ factors.down
    whole = weight.float()
    if is_transposed or factors.is_embedding:
        whole = whole.T
    whole = whole + addition
    if factors.magnitude is not None:
        # Rows keep their direction and get the length that was learnt.
        lengths = torch.linalg.vector_norm(whole, dim=1, keepdim=True)
        whole = whole * (factors.magnitude.float().view(-1, 1) / lengths)
    if is_transposed or factors.is_embedding:
        whole = whole.T
    return whole.to(weight.dtype)


def _by_stored_name(
    parts: Mapping[str, Part], suffix: str, checkpoint: StoredCheckpoint, adapter: str
) -> dict[str, Part]:
    """Name parts as the files do; those of a bare base model lack the first word of a name."""
    found = {}
    for name, part in parts.items():
        names = (f"{name}{suffix}", f"{name.partition('.')[2]}{suffix}")
        stored = next((one for one in names if one in checkpoint.tensors), None)
        if stored is None:
            raise ConversionError(
                f"adapter {adapter!r} changes {name}, which {checkpoint.folder.name!r} does not"
                " store; it was made for another model, or the two share a weight"
            )
        found[stored] = part
    return found


def _check(
    factors: Mapping[str, Factors],
    replaced: Mapping[str, Tensor],
    checkpoint: StoredCheckpoint,
    *,
    is_transposed: bool,
) -> None:
    """Refuse shapes that do not fit, before anything is written."""
    for name, part in factors.items():
        shape = (part.up.shape[0], part.down.shape[1])
        if is_transposed or part.is_embedding:
            shape = shape[::-1]
        stored = checkpoint.tensors[name].shape
        if shape != stored:
            raise ConversionError(f"the adapter changes {name} as {shape}, but it is {stored}")
        if part.magnitude is not None and part.magnitude.numel() != part.up.shape[0]:
            raise ConversionError(f"the adapter has {part.magnitude.numel()} lengths for {name}")
    for name, tensor in replaced.items():
        if tuple(tensor.shape) != checkpoint.tensors[name].shape:
            raise ConversionError(
                f"the adapter replaces {name} by {tuple(tensor.shape)}, but it is"
                f" {checkpoint.tensors[name].shape}"
            )
    touched = [
        name for name in (*factors, *replaced) if any(part in name for part in EMBEDDING_NAMES)
    ]
    is_tied = not any(name.endswith(HEADS) for name in checkpoint.tensors)
    if is_tied and touched:
        raise ConversionError(
            f"the adapter changes {touched[0]}, which is both embedding and head of this model;"
            " merging would change both"
        )
