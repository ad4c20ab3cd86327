"""How much memory a KV cache may take: what is really free, on a device or on this machine."""

from collections.abc import Callable

import torch

from inference.engine.config import EngineConfig
from inference.free_memory import available_bytes

CPU_SHARE = 0.3
ACCELERATOR_SHARE = 0.9
UNCOUNTED = frozenset({"cpu", "mps"})
"""Devices whose allocations nobody counts, and whose memory the rest of the machine needs too."""


def cache_bytes(config: EngineConfig, device: torch.device, *, peak_bytes: int = 0) -> int:
    """Return the bytes a KV cache may take.

    Args:
        config: `kv_cache_bytes` is taken at its word; else `kv_memory_share` counts.
        device: where the cache lives.
        peak_bytes: what the largest step takes for itself.
    """
    if config.kv_cache_bytes is not None:
        return config.kv_cache_bytes
    share = config.kv_memory_share or default_share(device)
    return int(max(0, available_bytes(device) - peak_bytes) * share)


def default_share(device: torch.device) -> float:
    """Return the part of what is free that a cache takes where nobody says how much."""
    return CPU_SHARE if device.type in UNCOUNTED else ACCELERATOR_SHARE


def profile_peak_bytes(run: Callable[[], object], device: torch.device) -> int:
    """Run something and return the most bytes it held at once beyond what was held before.

    On CPU and mps nobody counts allocations: `run` is not called there and the answer is 0. The
    smaller share of the KV cache leaves the room.
    """
    if device.type in UNCOUNTED:
        return 0
    torch.accelerator.synchronize(device)
    torch.accelerator.empty_cache()
    torch.accelerator.reset_peak_memory_stats(device)
    before = torch.accelerator.memory_allocated(device)
    run()
    torch.accelerator.synchronize(device)
    peak = torch.accelerator.max_memory_allocated(device) - before
    torch.accelerator.empty_cache()
    return max(0, int(peak))


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that a device, or the machine, had no memory left."""
    if isinstance(error, (torch.OutOfMemoryError, MemoryError)):
        return True
    # The CPU allocator has no error class of its own.
    return isinstance(error, RuntimeError) and "can't allocate memory" in str(error)


def empty_device_cache() -> None:
    """Give memory that torch keeps for later back to the accelerator, where there is one."""
    if torch.accelerator.is_available():
        torch.accelerator.empty_cache()
