"""Tiny models whose weights were quantized beforehand, as quantizers write them."""

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor


def write_config(folder: Path, **values: Any) -> None:
    """Add values to a model's config.json."""
    path = folder / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


def pack_weights(folder: Path, *, bits: int) -> dict[str, Tensor]:
    """Quantize a folder's linear layers by channel, as compressed-tensors stores whole numbers.

    Returns:
        The weights that the stored ones stand for, float, by name.
    """
    from compressed_tensors.compressors.pack_quantized.helpers import pack_to_int32

    largest = 2 ** (bits - 1) - 1
    path = folder / "model.safetensors"
    stored: dict[str, Tensor] = {}
    meant: dict[str, Tensor] = {}
    for name, tensor in load_file(path).items():
        if not name.endswith("_proj.weight"):
            stored[name] = meant[name] = tensor
            continue
        scale = tensor.abs().amax(dim=1, keepdim=True) / largest
        whole = (tensor / scale).round().clamp(-largest, largest)
        stored[f"{name}_packed"] = pack_to_int32(whole.to(torch.int8), bits)
        stored[f"{name}_scale"] = scale
        stored[f"{name}_shape"] = torch.tensor(tensor.shape)
        meant[name] = whole * scale
    save_file(stored, path, metadata={"format": "pt"})
    weights = {"num_bits": bits, "type": "int", "symmetric": True, "strategy": "channel"}
    write_config(
        folder,
        quantization_config={
            "quant_method": "compressed-tensors",
            "format": "pack-quantized",
            "quantization_status": "compressed",
            "config_groups": {"group_0": {"targets": ["Linear"], "weights": weights}},
            "ignore": ["lm_head"],
        },
    )
    return meant
