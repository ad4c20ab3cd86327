"""Where a model runs, in which precision, and how much of each accelerator it may take."""

from collections.abc import Callable
from pathlib import Path
from typing import Literal, get_args

import torch

from inference.exceptions import ModelLoadError

Device = Literal["cpu", "cuda", "mps", "xpu", "npu"]

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
    "npu": lambda: hasattr(torch, "npu") and bool(torch.npu.is_available()),
}


def check_device(device: str) -> None:
    """Accept a device this machine has.

    Raises:
        ModelLoadError: the name is unknown, or torch finds no such device.
    """
    if device not in get_args(Device):
        raise ModelLoadError(f"unknown device {device!r}; use one of {', '.join(get_args(Device))}")
    if not IS_AVAILABLE[device]():
        raise ModelLoadError(f"torch finds no {device} device here; use --device cpu")


def choose_dtype(device: str, wanted: str | None, folder: Path) -> torch.dtype:
    """Return the precision a model is loaded in.

    CPU: single precision, or bfloat16 for a large model where the CPU computes in it. CUDA:
    bfloat16 where the card has it, else half. Others: half; xpu bfloat16.

    Args:
        device: where the model will run.
        wanted: a name in `DTYPES` that decides alone; None leaves the choice.
        folder: the model's files, for their size.

    Raises:
        ModelLoadError: `wanted` is no known precision.
    """
    if wanted is not None:
        if wanted not in DTYPES:
            raise ModelLoadError(f"unknown dtype {wanted!r}; use one of {', '.join(DTYPES)}")
        return DTYPES[wanted]
    if device == "cpu":
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


def memory_by_device(num_gpus: int, max_gpu_memory: str | None) -> dict[int | str, int | str]:
    """Return how much each accelerator may hold, for a model spread over several.

    Args:
        num_gpus: how many CUDA devices to use, from the first.
        max_gpu_memory: for example "20GiB"; None takes 85 % of what is free on each.

    Raises:
        ModelLoadError: the machine has fewer devices.
    """
    if num_gpus > torch.cuda.device_count():
        raise ModelLoadError(
            f"{num_gpus} GPUs were asked for, this machine has {torch.cuda.device_count()}"
        )
    if max_gpu_memory is not None:
        return dict.fromkeys(range(num_gpus), max_gpu_memory)
    return {
        index: int(torch.cuda.mem_get_info(index)[0] * ACCELERATOR_MEMORY_SHARE)
        for index in range(num_gpus)
    }
