"""Read a model's weights to where they belong, once they are known to be whole and to fit."""

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from transformers import GenerationConfig, PreTrainedConfig, PreTrainedModel
from transformers.distributed.configuration_utils import DistributedConfig
from transformers.utils import logging as transformers_logging

from inference.exceptions import ModelLoadError
from inference.free_memory import available_bytes
from inference.loading.auto_classes import auto_class_for
from inference.loading.checkpoint_files import stored_tensors
from inference.loading.devices import choose_dtype, memory_by_device
from inference.loading.fitting import Candidate, check_fits
from inference.loading.options import LoadOptions
from inference.loading.prequantized import quantize_by_checkpoint, weights_place
from inference.loading.quantization import quantization_config
from inference.loading.ranks import check_can_be_shared
from inference.loading.refusals import telling
from inference.loading.text_encoders import has_head

logger = logging.getLogger(__name__)


def load_weights(
    folder: Path, config: PreTrainedConfig, options: LoadOptions, *, window: int
) -> PreTrainedModel:
    """Check that the weights are whole and fit, then read them.

    Args:
        folder: the model's.
        config: the model's; told how its weights are quantized.
        options: how to load them.
        window: the model's, in tokens.

    Raises:
        ModelLoadError: a file is damaged, nothing is free for it, or a package is missing.
    """
    prequantized = quantize_by_checkpoint(config, folder, options)
    place = weights_place(config, folder, options)
    dtype = choose_dtype(options.device, options.dtype, place, cpu_isa=options.cpu_isa)
    ranks = dist.get_world_size() if options.tensor_parallel else 1
    if options.tensor_parallel:
        _check_ranks(folder, config, ranks)
    candidate = Candidate(
        repr(folder.name), stored_tensors(place), config, dtype, window, prequantized
    )
    check_fits(candidate, options, ranks=ranks)
    extra = _placement(options, ranks)
    if place != folder:
        extra["generation_config"] = _generation_config(folder, config)
    quantization = quantization_config(options, dtype, model_type=config.model_type)
    if quantization is not None:
        extra["quantization_config"] = quantization
    auto_model = auto_class_for(config)
    with _quietly(), telling(f"the weights of {folder.name!r} cannot be loaded"):
        model, found = auto_model.from_pretrained(
            place,
            config=config,
            dtype=dtype,
            use_safetensors=True,
            trust_remote_code=options.trust_remote_code,
            ignore_mismatched_sizes=True,  # refused below, in words
            output_loading_info=True,
            **extra,
        )
    _check_complete(found, folder.name, needs_all=has_head(config))
    if prequantized is not None and prequantized.dense_bits is not None:
        model.hf_quantizer = None  # its weights are ordinary numbers now
    model.eval().requires_grad_(False)
    logger.debug("loaded %s in %s", folder.name, dtype)
    loaded: PreTrainedModel = model
    return loaded


def _generation_config(folder: Path, config: PreTrainedConfig) -> GenerationConfig:
    """Return what the model's own folder says of generation, which lies elsewhere than weights."""
    if (folder / "generation_config.json").is_file():
        return GenerationConfig.from_pretrained(folder)
    return GenerationConfig.from_model_config(config)


def _check_ranks(folder: Path, config: PreTrainedConfig, ranks: int) -> None:
    if not has_head(config):
        raise ModelLoadError(f"{folder.name!r} has no head; it runs in one process only")
    check_can_be_shared(config, ranks=ranks)


def _placement(options: LoadOptions, ranks: int) -> dict[str, Any]:
    """Say where the weights go, in the words of `from_pretrained`."""
    if options.tensor_parallel:
        return {"distributed_config": DistributedConfig(tp_size=ranks)}
    if not options.is_spread:
        return {"device_map": {"": options.device}}
    memory = memory_by_device(options.device, options.num_gpus, options.max_gpu_memory)
    if options.cpu_offloading:
        memory["cpu"] = available_bytes(torch.device("cpu"))
    return {"device_map": "auto", "max_memory": memory}


def _check_complete(found: dict[str, Any], name: str, *, needs_all: bool) -> None:
    """Refuse weights of other shapes than the configuration's, and missing ones.

    Where the configuration is a base model without a head, parts it does without may be missing.
    """
    if found["mismatched_keys"]:
        key, stored, expected = min(found["mismatched_keys"])
        raise ModelLoadError(
            f"the weights of {name!r} do not fit its config.json: {key} has the shape"
            f" {list(stored)}, {list(expected)} is expected"
        )
    missing = sorted(found["missing_keys"])
    if missing and needs_all:
        raise ModelLoadError(
            f"the weights of {name!r} lack {len(missing)} parts that its config.json asks for, such"
            f" as {missing[0]}; copy or fetch the folder again"
        )


@contextmanager
def _quietly() -> Iterator[None]:
    """Keep transformers from printing tables; its progress bar shows on a terminal alone."""
    verbosity = transformers_logging.get_verbosity()
    transformers_logging.set_verbosity_error()
    if sys.stderr.isatty():
        transformers_logging.enable_progress_bar()
    else:
        transformers_logging.disable_progress_bar()  # a line of noise for every weight in a file
    try:
        yield
    finally:
        transformers_logging.set_verbosity(verbosity)
