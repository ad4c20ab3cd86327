import pytest
import torch

from inference.engine.config import EngineConfig
from inference.engine.memory import (
    cache_bytes,
    is_out_of_memory,
    profile_peak_bytes,
)
from inference.free_memory import available_bytes

MIB = 1024 * 1024


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
