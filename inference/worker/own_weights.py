"""Eight bits on a CPU: by the engine's own kernels, where it has them for a model."""

from dataclasses import replace
from typing import Any, Protocol

from inference.engine.decoder.anatomy import ANATOMIES
from inference.loading.checkpoint_files import stored_tensors
from inference.loading.configuration import read_config
from inference.loading.context import context_length_of
from inference.loading.devices import choose_dtype
from inference.loading.fitting import Candidate, free_bytes
from inference.loading.options import LoadOptions
from inference.loading.sources import find_model

EIGHT_BITS = "int8"


class Choices(Protocol):
    """What a model's spec says of loading and of the engine."""

    @property
    def path(self) -> str:
        """Folder or hub id."""

    @property
    def load_options(self) -> dict[str, Any]:
        """As `load_model` takes them."""

    @property
    def engine_options(self) -> dict[str, Any]:
        """Fields of `EngineConfig`."""


def kept_by_own_kernels(spec: Choices, device: str) -> dict[str, Any]:
    """Return what changes in a spec where the engine is to keep 8 bits itself; else nothing.

    Args:
        spec: of a model; `weights` in its engine options decides alone.
        device: where the model runs.

    Raises:
        ModelLoadError: options contradict each other, or the model's files cannot be used.
    """
    if not spec.load_options.get("load_8bit") or spec.engine_options.get("weights"):
        return {}
    if not suits_own_kernels(spec.path, LoadOptions(device=device, **spec.load_options)):
        return {}
    return {
        "load_options": {**spec.load_options, "load_8bit": False},
        "engine_options": {**spec.engine_options, "weights": EIGHT_BITS},
    }


def suits_own_kernels(path: str, options: LoadOptions) -> bool:
    """Whether `--load-8bit` is better served by the engine than by bitsandbytes.

    It is on CPU, for a model of a shape the fused decoder knows, if the weights fit in full on the
    way: the engine makes bytes of a loaded model, bitsandbytes of each weight as it is read.

    Args:
        path: folder or hub id of the model.
        options: how it is to be loaded.

    Raises:
        ModelLoadError: the model's files cannot be used.
    """
    if options.device != "cpu" or not options.load_8bit:
        return False
    folder = find_model(path, revision=options.revision, use_modelscope=options.use_modelscope)
    config = read_config(folder, name=path, trust_remote_code=options.trust_remote_code)
    text_config = config.get_text_config()
    if text_config.model_type not in ANATOMIES or hasattr(config, "quantization_config"):
        return False
    exact = replace(options, load_8bit=False)
    dtype = choose_dtype(options.device, options.dtype, folder, cpu_isa=options.cpu_isa)
    candidate = Candidate(
        repr(folder.name), stored_tensors(folder), config, dtype, context_length_of(config)
    )
    return candidate.need(exact).total <= free_bytes(exact)
