"""How much memory a KV cache may take: what is really free, on a device or on this machine."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import torch

from inference.engine.config import EngineConfig

CPU_SHARE = 0.3
ACCELERATOR_SHARE = 0.9
UNCOUNTED = frozenset({"cpu", "mps"})
"""Devices whose allocations nobody counts, and whose memory the rest of the machine needs too."""

SHARE_OF_UNKNOWN = 0.5  # where a system does not tell what is free, half of what it has

PROC = Path("/proc")
CGROUPS = Path("/sys/fs/cgroup")

# Limit, usage, and the line of `memory.stat` with the page cache that is given back on demand.
CGROUP_V1 = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
CGROUP_V2 = ("memory.max", "memory.current", "inactive_file")


def available_bytes(device: torch.device) -> int:
    """Return the bytes that are free: on an accelerator its own memory, else the machine's.

    On CPU this is what the kernel says is available without swapping, or what the process's
    control group leaves where that is less, so a container's limit counts.
    """
    if device.type == "cpu":
        return available_host_bytes()
    if device.type == "mps":
        return torch.mps.recommended_max_memory() - torch.mps.driver_allocated_memory()
    free, _ = torch.accelerator.get_memory_info(device)
    return int(free)


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


def available_host_bytes(*, proc: Path = PROC, cgroups: Path = CGROUPS) -> int:
    """Return what this machine, and the control groups of this process, have left.

    Args:
        proc: where the kernel tells about processes and memory.
        cgroups: where control groups are mounted.
    """
    system = _meminfo_available(proc)
    if system is None:
        system = int(_physical_bytes() * SHARE_OF_UNKNOWN)
    return max(0, min([system, *_cgroup_bytes(proc, cgroups)]))


def _physical_bytes() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def _meminfo_available(proc: Path) -> int | None:
    """`MemAvailable` of Linux; None elsewhere."""
    kibibytes = _named_number(proc / "meminfo", "MemAvailable:")
    return None if kibibytes is None else kibibytes * 1024


def _cgroup_bytes(proc: Path, cgroups: Path) -> Iterator[int]:
    """What each control group around this process leaves; the outer ones count too."""
    for line in _lines(proc / "self" / "cgroup"):
        number, controllers, path = line.split(":", 2)
        if number == "0":
            root, names = cgroups, CGROUP_V2
        elif "memory" in controllers.split(","):
            root, names = cgroups / "memory", CGROUP_V1
        else:
            continue
        own = root / path.lstrip("/")
        # Inside a container the path may be the host's; then the mount's root is our group.
        for folder in (own, *own.parents):
            left = _left_in(folder, *names)
            if left is not None:
                yield left
            if folder == root:
                break


def _left_in(folder: Path, limit_name: str, usage_name: str, cache_name: str) -> int | None:
    """What one control group leaves; None where it sets no limit."""
    limit, usage = _number(folder / limit_name), _number(folder / usage_name)
    if limit is None or usage is None:
        return None
    return limit - usage + (_named_number(folder / "memory.stat", cache_name) or 0)


def _number(path: Path) -> int | None:
    text = "".join(_lines(path))
    return int(text) if text.isdecimal() else None  # "max" means no limit


def _named_number(path: Path, name: str) -> int | None:
    for line in _lines(path):
        words = line.split()
        if words and words[0] == name:
            return int(words[1])
    return None


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text().splitlines()
    except OSError:
        return []
