"""Weights in 8 or 4 bits, by bitsandbytes."""

import logging

import torch
from transformers import BitsAndBytesConfig

from inference.exceptions import ModelLoadError

# It warns of its cast to half precision once for every matrix of every step.
logging.getLogger("bitsandbytes.autograd._functions").setLevel(logging.ERROR)


def quantization_config(
    *, load_8bit: bool, load_4bit: bool, cpu_offloading: bool, dtype: torch.dtype
) -> BitsAndBytesConfig | None:
    """Return how weights are stored; None where they stay as they are.

    Four bits are NormalFloat with its constants quantized again; arithmetic stays in `dtype`.

    Raises:
        ModelLoadError: both widths are asked for, or offloading without 8 bits.

    Source:
        Dettmers et al. 2022, "LLM.int8()"; Dettmers et al. 2023, "QLoRA", section 3.
    """
    if load_8bit and load_4bit:
        raise ModelLoadError("choose either --load-8bit or --load-4bit")
    if cpu_offloading and not load_8bit:
        raise ModelLoadError("--cpu-offloading works with --load-8bit")
    if load_8bit:
        return BitsAndBytesConfig(
            load_in_8bit=True, llm_int8_enable_fp32_cpu_offload=cpu_offloading
        )
    if load_4bit:
        return BitsAndBytesConfig(
            load_in_4bit=True,
            bnb_4bit_quant_type="nf4",
            bnb_4bit_use_double_quant=True,
            bnb_4bit_compute_dtype=dtype,
        )
    return None
