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
