import json
import struct

import pytest
import torch
from safetensors.torch import save_file

from inference.exceptions import ModelLoadError
from inference.loading.checkpoint_files import INDEX, stored_tensors, tensors_in, weight_files


def write(path, header, data=b""):
    text = json.dumps(header).encode() if isinstance(header, (dict, list)) else header
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)
    return path


def entry(dtype="F32", shape=(2,), offsets=(0, 8)):
    return {"dtype": dtype, "shape": list(shape), "data_offsets": list(offsets)}


def test_names_shapes_and_sizes_are_read_off_the_header(tmp_path):
    tensors = {
        "a": torch.zeros(3, 4, dtype=torch.bfloat16),
        "b": torch.zeros(5, dtype=torch.int8),
        "c": torch.zeros(2, 2, dtype=torch.float8_e4m3fn),
        "d": torch.tensor(1.0),
        "e": torch.zeros(0, 4),
    }
    save_file(tensors, tmp_path / "model.safetensors", metadata={"format": "pt"})

    found = {tensor.name: tensor for tensor in stored_tensors(tmp_path)}

    assert {name: tensor.shape for name, tensor in found.items()} == {
        name: tuple(tensor.shape) for name, tensor in tensors.items()
    }
    assert [found[name].stored_bytes for name in "abcde"] == [24, 5, 4, 4, 0]
    assert [found[name].is_dense for name in "abcde"] == [True, False, False, True, True]


def test_an_index_names_the_files_and_others_are_left_alone(tmp_path):
    for name in ("1", "2", "consolidated"):
        save_file({name: torch.zeros(1)}, tmp_path / f"{name}.safetensors")
    places = {"1": "1.safetensors", "2": "2.safetensors"}
    (tmp_path / INDEX).write_text(json.dumps({"weight_map": places}))

    assert [path.name for path in weight_files(tmp_path)] == ["1.safetensors", "2.safetensors"]


def test_an_index_leads_to_no_other_folder(tmp_path):
    (tmp_path / "outside.safetensors").touch()
    (tmp_path / "model").mkdir()
    places = {"a": "../outside.safetensors"}
    (tmp_path / "model" / INDEX).write_text(json.dumps({"weight_map": places}))

    with pytest.raises(ModelLoadError, match="lacks 1 of its 1 weight files"):
        weight_files(tmp_path / "model")


@pytest.mark.parametrize(
    ("header", "words"),
    [
        (b"{", "header is no JSON"),
        ([], "header is no object"),
        ({"a": []}, "no safetensors file"),
        ({"a": {"dtype": "F32"}}, "no safetensors file"),
        ({"a": entry(dtype="F128")}, "contradict each other"),
        ({"a": entry(offsets=(0, 4))}, "contradict each other"),
        ({"a": entry(shape=("x",))}, "no safetensors file"),
        ({"a": entry()}, "is cut off: 0 of 8 bytes"),
    ],
)
def test_a_header_that_makes_no_sense_is_refused(tmp_path, header, words):
    path = write(tmp_path / "model.safetensors", header)

    with pytest.raises(ModelLoadError, match=words):
        list(tensors_in(path))


@pytest.mark.parametrize("content", [b"", b"\x01", b"\x80\x04pickle"])
def test_files_too_short_for_a_header_are_refused(tmp_path, content):
    path = tmp_path / "model.safetensors"
    path.write_bytes(content)

    with pytest.raises(ModelLoadError):
        list(tensors_in(path))
