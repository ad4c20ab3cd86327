"""Weights in 8 or 4 bits, by bitsandbytes."""

import logging
from importlib.util import find_spec

import torch
from transformers import BitsAndBytesConfig

from inference.exceptions import ModelLoadError
from inference.loading.options import LoadOptions

# It warns of its cast to half precision once for every matrix of every step.
logging.getLogger("bitsandbytes.autograd._functions").setLevel(logging.ERROR)
# As it is imported it advises a package that would fetch compiled kernels and run them.
logging.getLogger("bitsandbytes.backends.cpu.ops").setLevel(logging.ERROR)


READ_DIRECTLY = {
    "mamba": ["x_proj", "dt_proj", "out_proj", "lm_head"],
    "falcon_mamba": ["x_proj", "dt_proj", "out_proj", "lm_head"],
}
"""By model type, parts whose weights are multiplied without their module: they stay as they are."""


def quantization_config(
    options: LoadOptions, dtype: torch.dtype, *, model_type: str = ""
) -> BitsAndBytesConfig | None:
    """Return how weights are stored; None where they stay as they are.

    Four bits are NormalFloat with its constants quantized again; arithmetic stays in `dtype`.

    Raises:
        ModelLoadError: fewer bits are asked for, and bitsandbytes is not installed.

    Source:
        Dettmers et al. 2022, "LLM.int8()"; Dettmers et al. 2023, "QLoRA", section 3.
    """
    if not options.stores_fewer_bits:
        return None
    if find_spec("bitsandbytes") is None:
        raise ModelLoadError(
            "--load-8bit and --load-4bit need a package that is missing; pip install bitsandbytes"
        )
    untouched = READ_DIRECTLY.get(model_type)
    if options.load_8bit:
        return BitsAndBytesConfig(
            load_in_8bit=True,
            llm_int8_enable_fp32_cpu_offload=options.cpu_offloading,
            llm_int8_skip_modules=untouched,
        )
    return BitsAndBytesConfig(
        load_in_4bit=True,
        llm_int8_skip_modules=untouched,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=dtype,
    )
