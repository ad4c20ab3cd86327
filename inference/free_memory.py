"""What memory is free: on a device, or on this machine as far as control groups let it be used."""

import ctypes
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import torch

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


def return_unused_memory() -> None:
    """Give back to the system what the allocator kept of memory that was freed, where it can be.

    Loading and converting weights frees many blocks that are too small to go back by themselves:
    of a model of half a billion parameters 130 to 330 MB. Only glibc has the call.
    """
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if trim is not None:
            trim(0)


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
