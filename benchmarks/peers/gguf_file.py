"""Turns a saved Llama or Qwen2 into the file that llama.cpp reads."""

import json
import re
import struct
from pathlib import Path
from typing import Any

import numpy as np
from gguf import GGMLQuantizationType, GGUFWriter  # type: ignore[import-not-found]

PLACES = {
    "model.embed_tokens": "token_embd",
    "model.norm": "output_norm",
    "lm_head": "output",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
    "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm",
}
LAYER = re.compile(r"model\.layers\.(\d+)\.(.*)")
VOCABULARY = "no_vocab"  # tokens go in and out as numbers

Bits = np.ndarray[Any, np.dtype[np.uint16]]


def write_gguf(folder: Path, dtype: str) -> Path:
    """Write a model's weights in a precision, once; return the file.

    Args:
        folder: a model saved in bfloat16 as one safetensors file.
        dtype: "float32" or "bfloat16"; vectors are float32 in either.
    """
    path = folder / f"{dtype}.gguf"
    if path.exists():
        return path
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    heads = config["num_attention_heads"]
    key_heads = config["num_key_value_heads"]
    unfinished = path.with_suffix(".part")
    writer = GGUFWriter(unfinished, config["model_type"])
    writer.add_tokenizer_model(VOCABULARY)
    writer.add_vocab_size(config["vocab_size"])
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_head_count(heads)
    writer.add_head_count_kv(key_heads)
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    for name, bits in bfloat16_tensors(folder / "model.safetensors").items():
        # This family's rotation pairs neighbours here, and halves of a head in transformers.
        if config["model_type"] == "llama" and name.endswith(("q_proj.weight", "k_proj.weight")):
            bits = interleaved(bits, heads if "q_proj" in name else key_heads)
        if dtype == "float32" or bits.ndim == 1:
            writer.add_tensor(place_of(name), as_float32(bits))
        else:
            writer.add_tensor(
                place_of(name), bits.view(np.uint8), raw_dtype=GGMLQuantizationType.BF16
            )
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return unfinished.rename(path)


def bfloat16_tensors(path: Path) -> dict[str, Bits]:
    """Return the bits of a safetensors file's tensors, as numpy has no bfloat16.

    Raises:
        ValueError: a tensor has another precision.
    """
    content = np.memmap(path, dtype=np.uint8, mode="r")
    (size,) = struct.unpack("<Q", content[:8].tobytes())
    header = json.loads(content[8 : 8 + size].tobytes())
    header.pop("__metadata__", None)
    found: dict[str, Bits] = {}
    for name, tensor in header.items():
        if tensor["dtype"] != "BF16":
            raise ValueError(f"{name} is {tensor['dtype']}, not bfloat16")
        start, end = (8 + size + offset for offset in tensor["data_offsets"])
        found[name] = content[start:end].view(np.uint16).reshape(tensor["shape"])
    return found


def as_float32(bits: Bits) -> np.ndarray[Any, np.dtype[np.float32]]:
    """Widen bfloat16, which is the upper half of a float32."""
    return (bits.astype(np.uint32) << 16).view(np.float32)


def interleaved(bits: Bits, heads: int) -> Bits:
    """Reorder a projection's rows so that the two halves of each head alternate, [H * D, C]."""
    rows, columns = bits.shape
    halves = bits.reshape(heads, 2, rows // heads // 2, columns)
    return np.ascontiguousarray(halves.swapaxes(1, 2)).reshape(rows, columns)


def place_of(name: str) -> str:
    """Return llama.cpp's name of a transformers weight."""
    module, _, kind = name.rpartition(".")
    inside = LAYER.fullmatch(module)
    if inside is None:
        return f"{PLACES[module]}.{kind}"
    return f"blk.{inside[1]}.{PLACES[inside[2]]}.{kind}"
