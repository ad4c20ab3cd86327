import pytest
import torch

from inference.engine.config import EngineConfig
from inference.engine.memory import (
    available_bytes,
    available_host_bytes,
    cache_bytes,
    is_out_of_memory,
    profile_peak_bytes,
)

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


def test_a_cache_takes_its_share_of_what_is_free():
    cpu = torch.device("cpu")

    default = cache_bytes(EngineConfig(), cpu)
    half = cache_bytes(EngineConfig(kv_memory_share=0.5), cpu)

    assert 0.28 < default / available_bytes(cpu) < 0.32
    assert 0.45 < half / available_bytes(cpu) < 0.55


def test_what_the_largest_step_takes_is_not_the_caches():
    cpu = torch.device("cpu")

    assert cache_bytes(EngineConfig(), cpu, peak_bytes=available_bytes(cpu) * 2) == 0


def test_a_stated_size_is_taken_at_its_word():
    config = EngineConfig(kv_cache_bytes=5 * MIB, kv_memory_share=0.5)

    assert cache_bytes(config, torch.device("cpu")) == 5 * MIB


def test_on_cpu_nothing_is_profiled():
    runs = []

    assert profile_peak_bytes(lambda: runs.append(1), torch.device("cpu")) == 0
    assert runs == []


@pytest.mark.gpu
@pytest.mark.skipif(not torch.accelerator.is_available(), reason="needs an accelerator")
def test_on_an_accelerator_the_peak_of_a_run_is_measured():
    device = torch.accelerator.current_accelerator()

    peak = profile_peak_bytes(
        lambda: torch.empty(64 * MIB, dtype=torch.uint8, device=device), device
    )

    assert 64 * MIB <= peak < 80 * MIB


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory"),
        MemoryError(),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 1 bytes"),
    ],
)
def test_running_out_of_memory_is_recognised(error):
    assert is_out_of_memory(error)


def test_another_error_is_not_taken_for_it():
    assert not is_out_of_memory(RuntimeError("bad kernel"))
