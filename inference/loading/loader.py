"""Load a model and its tokenizer onto a device."""

import logging
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from safetensors import SafetensorError
from transformers import (
    AutoConfig,
    AutoModel,
    AutoModelForCausalLM,
    AutoTokenizer,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)
from transformers.distributed.configuration_utils import DistributedConfig
from transformers.utils.logging import disable_progress_bar

from inference.exceptions import ModelLoadError
from inference.generation import Pooling
from inference.loading.context import context_length_of
from inference.loading.devices import check_device, choose_dtype, memory_by_device
from inference.loading.quantization import quantization_config
from inference.loading.ranks import check_can_be_shared
from inference.loading.sources import find_model
from inference.loading.text_encoders import has_head, read_encoder_facts

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A model ready to be asked: evaluation mode, no gradients.

    Attributes:
        model: with its head, if its weights have one for generation.
        tokenizer: the model's.
        context_length: the window in tokens.
        pooling: how its texts become vectors.
    """

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    context_length: int
    pooling: Pooling = "mean"


def load_model(
    path_or_id: str,
    *,
    device: str = "cpu",
    dtype: str | None = None,
    load_8bit: bool = False,
    load_4bit: bool = False,
    cpu_offloading: bool = False,
    num_gpus: int = 1,
    max_gpu_memory: str | None = None,
    tensor_parallel: bool = False,
    revision: str | None = None,
    trust_remote_code: bool = False,
) -> LoadedModel:
    """Load a decoder, or a text encoder, and its tokenizer; weights come from safetensors only.

    Args:
        path_or_id: a folder, or a repository of the hub.
        device: "cpu", "cuda", "mps", "xpu" or "npu".
        dtype: "float32", "float16" or "bfloat16"; None chooses by device and size.
        load_8bit: store weights in 8 bits.
        load_4bit: store weights in 4 bits.
        cpu_offloading: with 8 bits, leave on the CPU what the accelerator cannot hold.
        num_gpus: spread the model over so many CUDA devices.
        max_gpu_memory: most memory on each of them, for example "20GiB".
        tensor_parallel: load this process's share of every weight; the others, which
            `ranks.join_ranks` has met, load theirs at the same time.
        revision: branch, tag or commit of the repository.
        trust_remote_code: run the Python code a repository brings along.

    Raises:
        ModelLoadError: something does not fit; the message says what to do.
    """
    check_device(device)
    if num_gpus < 1:
        raise ModelLoadError(f"num_gpus must be at least 1, not {num_gpus}")
    if num_gpus > 1 and device != "cuda":
        raise ModelLoadError(f"a model can be spread over CUDA devices, not over {device}")
    folder = find_model(path_or_id, revision=revision)
    chosen = choose_dtype(device, dtype, folder)
    quantization = quantization_config(
        load_8bit=load_8bit, load_4bit=load_4bit, cpu_offloading=cpu_offloading, dtype=chosen
    )
    placement: dict[str, Any] = {"device_map": {"": device}}
    if tensor_parallel:
        if num_gpus > 1 or quantization is not None:
            raise ModelLoadError("tensor parallelism goes with neither --num-gpus nor 4 or 8 bits")
        placement = {"distributed_config": DistributedConfig(tp_size=dist.get_world_size())}
    elif num_gpus > 1 or cpu_offloading:
        memory = memory_by_device(num_gpus, max_gpu_memory) if device == "cuda" else None
        placement = {"device_map": "auto", "max_memory": memory}
    try:
        return _load(folder, chosen, quantization, placement, trust_remote_code)
    except (OSError, ValueError, KeyError, ImportError, RuntimeError, SafetensorError) as error:
        raise ModelLoadError(f"{path_or_id!r} cannot be loaded: {error}") from error


def _load(
    folder: Path,
    dtype: torch.dtype,
    quantization: Any,
    placement: dict[str, Any],
    trust_remote_code: bool,
) -> LoadedModel:
    """Read configuration, tokenizer and weights."""
    if not sys.stderr.isatty():
        disable_progress_bar()  # in a log file it is a line of noise for every weight
    config = AutoConfig.from_pretrained(folder, trust_remote_code=trust_remote_code)
    if config.is_encoder_decoder:
        raise ModelLoadError(f"{folder.name!r} is an encoder-decoder; a decoder is needed")
    if "distributed_config" in placement:
        if not has_head(config):
            raise ModelLoadError(f"{folder.name!r} has no head; it runs in one process only")
        check_can_be_shared(config, ranks=placement["distributed_config"].tp_size)
    facts = read_encoder_facts(folder)
    tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=trust_remote_code)
    extra = {} if quantization is None else {"quantization_config": quantization}
    auto_model = AutoModelForCausalLM if has_head(config) else AutoModel
    model = auto_model.from_pretrained(
        folder,
        config=config,
        dtype=dtype,
        use_safetensors=True,
        trust_remote_code=trust_remote_code,
        **placement,
        **extra,
    )
    model.eval().requires_grad_(False)
    logger.debug("loaded %s in %s", folder.name, dtype)
    window = context_length_of(config)
    return LoadedModel(
        model,
        tokenizer,
        window if facts.max_tokens is None else min(window, facts.max_tokens),
        facts.pooling,
    )
