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


@pytest.mark.parametrize("device", ["mps", "npu"])
def test_other_devices_take_half_precision(folder, device):
    assert devices.choose_dtype(device, None, folder) is torch.float16


def test_what_is_asked_for_decides_alone(folder):
    assert devices.choose_dtype("cpu", "float16", folder) is torch.float16


def test_memory_is_shared_out_as_asked(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda index: (1000 * (index + 1), 4000))

    assert devices.memory_by_device(2, "20GiB") == {0: "20GiB", 1: "20GiB"}
    assert devices.memory_by_device(2, None) == {0: 850, 1: 1700}
    with pytest.raises(ModelLoadError, match="3 GPUs"):
        devices.memory_by_device(3, None)
