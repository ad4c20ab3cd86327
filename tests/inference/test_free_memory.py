import os
import sys
from pathlib import Path

import pytest
import torch

from inference.free_memory import available_bytes, available_host_bytes, return_unused_memory

MIB = 1024 * 1024


@pytest.fixture
def machine(tmp_path):
    """Folders like /proc and /sys/fs/cgroup; 1000 MiB are available."""
    proc, cgroups = tmp_path / "proc", tmp_path / "cgroup"
    (proc / "self").mkdir(parents=True)
    cgroups.mkdir()
    (proc / "meminfo").write_text(f"MemTotal: 9999999 kB\nMemAvailable:   {1000 * 1024} kB\n")
    return proc, cgroups


def write_group(folder, *, names=("memory.max", "memory.current"), limit, usage, stat=""):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / names[0]).write_text(f"{limit}\n")
    (folder / names[1]).write_text(f"{usage}\n")
    (folder / "memory.stat").write_text(stat)


def left(machine):
    proc, cgroups = machine
    return available_host_bytes(proc=proc, cgroups=cgroups)


def test_without_control_groups_it_is_what_the_kernel_says(machine):
    assert left(machine) == 1000 * MIB


def test_a_container_with_a_limit_has_what_the_limit_leaves(machine):
    proc, cgroups = machine
    (proc / "self" / "cgroup").write_text("0::/\n")
    stat = f"anon 5\ninactive_file {20 * MIB}\n"
    write_group(cgroups, limit=300 * MIB, usage=100 * MIB, stat=stat)

    assert left(machine) == 220 * MIB


def test_a_group_without_a_limit_does_not_count(machine):
    proc, cgroups = machine
    (proc / "self" / "cgroup").write_text("0::/\n")
    write_group(cgroups, limit="max", usage=100 * MIB)

    assert left(machine) == 1000 * MIB


def test_the_tightest_of_nested_groups_counts(machine):
    proc, cgroups = machine
    (proc / "self" / "cgroup").write_text("0::/pod/box\n")
    write_group(cgroups / "pod", limit=150 * MIB, usage=50 * MIB)
    write_group(cgroups / "pod" / "box", limit=900 * MIB, usage=10 * MIB)

    assert left(machine) == 100 * MIB


def test_the_older_control_groups_count_too(machine):
    proc, cgroups = machine
    (proc / "self" / "cgroup").write_text("5:devices:/\n4:cpu,memory:/docker/abc\n0::/\n")
    names = ("memory.limit_in_bytes", "memory.usage_in_bytes")
    stat = f"total_inactive_file {1 * MIB}\n"
    write_group(cgroups / "memory", names=names, limit=64 * MIB, usage=14 * MIB, stat=stat)

    assert left(machine) == 51 * MIB


def test_a_group_that_is_over_its_limit_leaves_nothing(machine):
    proc, cgroups = machine
    (proc / "self" / "cgroup").write_text("0::/\n")
    write_group(cgroups, limit=10 * MIB, usage=11 * MIB)

    assert left(machine) == 0


def test_a_system_that_does_not_tell_offers_half_of_what_it_has(tmp_path):
    nothing = tmp_path / "nothing"

    found = available_host_bytes(proc=nothing, cgroups=nothing)

    assert found > 64 * MIB


def test_this_machine_has_some_memory_for_a_cache():
    assert available_bytes(torch.device("cpu")) > 64 * MIB


@pytest.mark.skipif(sys.platform != "linux", reason="the allocator of Linux alone gives back so")
def test_memory_that_was_freed_goes_back_to_the_system():
    blocks = [bytearray(100_000) for _ in range(1000)]  # too small to have pages of their own
    last = bytearray(100_000)
    del blocks
    before = resident_bytes()

    return_unused_memory()

    assert resident_bytes() < before - 50 * MIB
    assert len(last) == 100_000


def resident_bytes():
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")
