"""Where a model runs, in which precision, and how much of each accelerator it may take."""

import importlib
import logging
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import get_args

import torch

from inference.exceptions import ModelLoadError
from inference.free_memory import available_bytes
from inference.loading.options import CPU_ISAS, Device

logger = logging.getLogger(__name__)

DTYPES: dict[str, torch.dtype] = {
    "float32": torch.float32,
    "float16": torch.float16,
    "bfloat16": torch.bfloat16,
}

LARGE_MODEL_BYTES = 300_000_000
"""From about here on a CPU with bfloat16 arithmetic answers faster in it; below, single precision
costs nothing and rounds nothing."""

ACCELERATOR_MEMORY_SHARE = 0.85
"""Of what is free on each of several accelerators; the rest is for activations and the KV cache."""

IS_AVAILABLE: dict[str, Callable[[], bool]] = {
    "cpu": lambda: True,
    "cuda": torch.cuda.is_available,
    "mps": torch.backends.mps.is_available,
    "xpu": torch.xpu.is_available,
    "npu": lambda: has_npu() and bool(getattr(torch, "npu").is_available()),  # noqa: B009 (typed)
}

BUILDS: dict[str, Callable[[], bool]] = {
    "cuda": lambda: torch.version.cuda is not None or torch.version.hip is not None,
    "mps": torch.backends.mps.is_built,
    "xpu": lambda: getattr(torch.version, "xpu", None) is not None,
    "npu": lambda: has_npu(),
}
"""Whether the installed torch has code for a kind of device at all."""


def has_npu() -> bool:
    """Whether torch drives Ascend devices here; its plug-in `torch_npu` is imported if need be."""
    if not hasattr(torch, "npu") and find_spec("torch_npu") is not None:
        importlib.import_module("torch_npu")  # registers torch.npu
    return hasattr(torch, "npu")


def check_device(device: str) -> None:
    """Accept a device this machine has.

    ROCm's devices are called cuda, as torch calls them.

    Raises:
        ModelLoadError: the name is unknown, or torch finds no such device; the message tells
            whether torch or the machine lacks it.
    """
    if device not in get_args(Device):
        raise ModelLoadError(f"unknown device {device!r}; use one of {', '.join(get_args(Device))}")
    if IS_AVAILABLE[device]():
        return
    if BUILDS[device]():
        raise ModelLoadError(f"torch finds no {device} device here; use --device cpu")
    if device == "npu":
        raise ModelLoadError(
            "torch finds no npu device here: the package torch_npu is not installed; install the"
            " one of your torch version, or use --device cpu"
        )
    raise ModelLoadError(
        f"torch finds no {device} device here, as torch {torch.__version__} was built without it;"
        " install a build that has it, or use --device cpu"
    )


def choose_dtype(
    device: str, wanted: str | None, folder: Path, *, cpu_isa: str = ""
) -> torch.dtype:
    """Return the precision a model is loaded in.

    CPU: single precision, or bfloat16 for a large model where the CPU computes in it. CUDA:
    bfloat16 where the card has it, else half. Others: half; xpu bfloat16.

    Args:
        device: where the model will run.
        wanted: a name in `DTYPES` that decides alone; None leaves the choice.
        folder: the model's files, for their size.
        cpu_isa: instructions the CPU is said to have; one of `CPU_ISAS` makes it bfloat16 for
            models of any size.

    Raises:
        ModelLoadError: `wanted` is no known precision.
    """
    if wanted is not None:
        if wanted not in DTYPES:
            raise ModelLoadError(f"unknown dtype {wanted!r}; use one of {', '.join(DTYPES)}")
        if (device, wanted) == ("cpu", "float16"):
            logger.warning("float16 is slow on a CPU; bfloat16 takes the same memory")
        return DTYPES[wanted]
    if device == "cpu":
        if cpu_isa in CPU_ISAS:
            return torch.bfloat16
        is_large = weight_bytes(folder) >= LARGE_MODEL_BYTES
        return torch.bfloat16 if is_large and has_fast_bfloat16() else torch.float32
    if device == "xpu" or (device == "cuda" and torch.cuda.is_bf16_supported()):
        return torch.bfloat16
    return torch.float16


def has_fast_bfloat16() -> bool:
    """Whether this CPU multiplies in bfloat16 (AVX512-BF16, AMX)."""
    capabilities = torch.cpu.get_capabilities()
    return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))


def weight_bytes(folder: Path) -> int:
    """Size of a model's weight files."""
    return sum(path.stat().st_size for path in folder.glob("*.safetensors"))


def memory_by_device(
    device: str, count: int, most: int | Sequence[int] | None
) -> dict[int | str, int]:
    """Return how many bytes each accelerator may hold, for a model spread over several.

    Args:
        device: the kind of accelerator.
        count: how many to use, from the first.
        most: bytes on each, one number for all or one each; None takes 85 % of what is free on
            each. More than is free is cut to what is free.

    Raises:
        ModelLoadError: the machine has fewer devices.
    """
    found: int = getattr(torch, device).device_count()
    if count > found:
        raise ModelLoadError(f"{count} GPUs were asked for, this machine has {found}")
    free = [available_bytes(torch.device(device, index)) for index in range(count)]
    if most is None:
        return {index: int(size * ACCELERATOR_MEMORY_SHARE) for index, size in enumerate(free)}
    wanted = [most] * count if isinstance(most, int) else most
    return {index: min(pair) for index, pair in enumerate(zip(wanted, free, strict=True))}
