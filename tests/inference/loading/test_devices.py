import sys

import pytest
import torch

from inference.exceptions import ModelLoadError
from inference.loading import devices


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "model-1.safetensors").write_bytes(b"x" * 600)
    (tmp_path / "model-2.safetensors").write_bytes(b"x" * 400)
    return tmp_path


def test_the_size_of_a_model_is_that_of_its_weight_files(folder):
    (folder / "notes.txt").write_bytes(b"x" * 5000)

    assert devices.weight_bytes(folder) == 1000


@pytest.mark.parametrize(
    ("large_from", "is_fast", "expected"),
    [
        (1000, True, torch.bfloat16),
        (1000, False, torch.float32),
        (1001, True, torch.float32),
    ],
)
def test_a_cpu_takes_bfloat16_for_large_models_where_it_computes_in_it(
    folder, monkeypatch, large_from, is_fast, expected
):
    monkeypatch.setattr(devices, "LARGE_MODEL_BYTES", large_from)
    monkeypatch.setattr(devices, "has_fast_bfloat16", lambda: is_fast)

    assert devices.choose_dtype("cpu", None, folder) is expected


@pytest.mark.parametrize("isa", ["avx512_bf16", "amx"])
def test_what_is_said_of_the_cpu_counts_for_models_of_any_size(folder, monkeypatch, isa):
    monkeypatch.setattr(devices, "has_fast_bfloat16", lambda: False)

    assert devices.choose_dtype("cpu", None, folder, cpu_isa=isa) is torch.bfloat16
    assert devices.choose_dtype("cpu", "float32", folder, cpu_isa=isa) is torch.float32


@pytest.mark.parametrize(
    ("has_bfloat16", "expected"), [(True, torch.bfloat16), (False, torch.float16)]
)
def test_cuda_takes_bfloat16_where_the_card_has_it(folder, monkeypatch, has_bfloat16, expected):
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda: has_bfloat16)

    assert devices.choose_dtype("cuda", None, folder) is expected


def test_xpu_takes_bfloat16(folder):
    assert devices.choose_dtype("xpu", None, folder) is torch.bfloat16


@pytest.mark.parametrize("device", ["mps", "npu"])
def test_other_devices_take_half_precision(folder, device):
    assert devices.choose_dtype(device, None, folder) is torch.float16


def test_what_is_asked_for_decides_alone(folder, caplog):
    assert devices.choose_dtype("cpu", "float16", folder) is torch.float16
    assert "float16 is slow on a CPU" in caplog.text


GIB = 2**30


@pytest.fixture
def two_cards(monkeypatch):
    """Two CUDA devices with 10 and 20 GiB free."""
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(
        torch.accelerator,
        "get_memory_info",
        lambda device: ((device.index + 1) * 10 * GIB, 40 * GIB),
    )


@pytest.mark.parametrize(
    ("most", "expected"),
    [
        (None, {0: int(8.5 * GIB), 1: 17 * GIB}),
        (8 * GIB, {0: 8 * GIB, 1: 8 * GIB}),
        (15 * GIB, {0: 10 * GIB, 1: 15 * GIB}),
        ((3 * GIB, 7 * GIB), {0: 3 * GIB, 1: 7 * GIB}),
    ],
)
def test_memory_is_shared_out_by_what_is_free_and_as_asked(two_cards, most, expected):
    assert devices.memory_by_device("cuda", 2, most) == expected


def test_more_devices_than_there_are_cannot_share(two_cards):
    with pytest.raises(ModelLoadError, match="3 GPUs were asked for, this machine has 2"):
        devices.memory_by_device("cuda", 3, None)


@pytest.fixture
def no_devices(monkeypatch):
    """A machine whose torch finds nothing but the CPU."""
    for name in ("cuda", "mps", "xpu"):
        monkeypatch.setitem(devices.IS_AVAILABLE, name, lambda: False)


def test_a_device_that_is_there_is_taken(no_devices, monkeypatch):
    monkeypatch.setitem(devices.IS_AVAILABLE, "cuda", lambda: True)

    devices.check_device("cpu")
    devices.check_device("cuda")


def test_a_build_without_a_device_and_a_machine_without_one_are_told_apart(no_devices, monkeypatch):
    monkeypatch.setattr(torch.version, "cuda", None)
    monkeypatch.setattr(torch.version, "hip", None)
    with pytest.raises(ModelLoadError, match="was built without it; install a build that has it"):
        devices.check_device("cuda")

    monkeypatch.setattr(torch.version, "cuda", "12.8")
    with pytest.raises(ModelLoadError, match="finds no cuda device here; use --device cpu"):
        devices.check_device("cuda")


def test_rocm_goes_by_the_name_of_cuda(no_devices, monkeypatch):
    monkeypatch.setattr(torch.version, "cuda", None)
    monkeypatch.setattr(torch.version, "hip", "6.4")

    assert devices.BUILDS["cuda"]()
    with pytest.raises(ModelLoadError, match="finds no cuda device here"):
        devices.check_device("cuda")


def test_ascends_plug_in_is_brought_in_when_it_is_asked_for(monkeypatch, tmp_path):
    plug_in = "import torch, types\ntorch.npu = types.SimpleNamespace(is_available=lambda: True)\n"
    (tmp_path / "torch_npu.py").write_text(plug_in)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "torch_npu", raising=False)
    monkeypatch.setattr(torch, "npu", None, raising=False)
    monkeypatch.delattr(torch, "npu")

    devices.check_device("npu")

    assert torch.npu.is_available()


def test_a_missing_plug_in_is_named(monkeypatch):
    monkeypatch.delattr(torch, "npu", raising=False)

    with pytest.raises(ModelLoadError, match="torch_npu is not installed"):
        devices.check_device("npu")


@pytest.mark.parametrize("device", ["cuda", "xpu"])
def test_every_accelerator_is_asked_for_its_own_memory(monkeypatch, device):
    asked = []
    monkeypatch.setattr(getattr(torch, device), "device_count", lambda: 2)
    monkeypatch.setattr(
        torch.accelerator, "get_memory_info", lambda place: (asked.append(place), (GIB, GIB))[1]
    )

    devices.memory_by_device(device, 2, None)

    assert asked == [torch.device(device, 0), torch.device(device, 1)]
