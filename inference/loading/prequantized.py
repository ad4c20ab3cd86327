"""Checkpoints whose weights were stored in few bits by GPTQ, AWQ, compressed-tensors and others."""

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from transformers import PreTrainedConfig

from inference.exceptions import ModelLoadError
from inference.loading.options import SPREADABLE, LoadOptions
from inference.loading.quantized_checkpoint import checkpoint_file, legacy_settings

PACKAGES: dict[str, tuple[tuple[str, str], ...]] = {
    "gptq": (("optimum", "optimum"), ("gptqmodel", "gptqmodel")),
    "awq": (("gptqmodel", "gptqmodel"),),
    "compressed-tensors": (("compressed_tensors", "compressed-tensors"),),
    "bitsandbytes": (("bitsandbytes", "bitsandbytes"),),
    "auto-round": (("auto_round", "auto-round"),),
    "aqlm": (("aqlm", "aqlm[gpu,cpu]"),),
    "eetq": (("kernels", "kernels"),),
    "hqq": (("hqq", "hqq"),),
    "mxfp4": (("kernels", "kernels"),),
    "quanto": (("optimum", "optimum-quanto"),),
    "quark": (("quark", "amd-quark"),),
    "spqr": (("spqr_quant", "spqr_quant[gpu]"),),
    "torchao": (("torchao", "torchao"),),
    "vptq": (("vptq", "vptq"),),
}
"""Modules that transformers imports for a method, and the packages that bring them."""

UNKNOWN_TO_TRANSFORMERS = {
    "exl2": "ExLlamaV2's own format has no loader in transformers; take the model's GPTQ, AWQ or"
    " original weights",
    "exl3": "ExLlamaV3's own format has no loader in transformers; take the model's GPTQ, AWQ or"
    " original weights",
}

EXLLAMA_BACKEND = "exllama_v2"
EXLLAMA_METHODS = ("gptq", "awq")


@dataclass(frozen=True, slots=True)
class Prequantized:
    """How the weights of a checkpoint were quantized.

    Attributes:
        method: as `quant_method` has it.
        dense_bits: of the stored whole numbers, where they become ordinary numbers as they are
            loaded; None where they stay as they are.
    """

    method: str
    dense_bits: int | None = None


def quantize_by_checkpoint(
    config: PreTrainedConfig, folder: Path, options: LoadOptions
) -> Prequantized | None:
    """Write into a configuration how its weights were quantized; None where they were not.

    What config.json says counts, then the command line, then the file an older quantizer wrote.
    compressed-tensors has kernels for 8-bit floats on accelerators; its other weights would become
    ordinary numbers in the first step, so they do as they are loaded.

    Raises:
        ModelLoadError: these contradict each other, or a package is missing.
    """
    settings = _settings(config, folder, options)
    if settings is None:
        if options.enable_exllama:
            raise ModelLoadError(
                f"--enable-exllama is for GPTQ and AWQ weights; {folder.name!r} has none"
            )
        return None
    method = str(settings.get("quant_method", ""))
    if options.stores_fewer_bits:
        raise ModelLoadError(
            f"{folder.name!r} is quantized already ({method}); leave --load-8bit and --load-4bit"
            " out"
        )
    if options.enable_exllama:
        if method not in EXLLAMA_METHODS:
            raise ModelLoadError(f"--enable-exllama is for GPTQ and AWQ weights, not for {method}")
        settings = {**settings, "backend": EXLLAMA_BACKEND}
    check_packages(method, folder.name)
    dense_bits = None
    if method == "compressed-tensors":
        has_kernels = options.device in SPREADABLE and _weights_of(settings).get("type") == "float"
        change = {"use_optimized_inference": True} if has_kernels else {"dequantize": True}
        settings = {**settings, **change}
        dense_bits = None if has_kernels else int(_weights_of(settings).get("num_bits", 8))
    config.quantization_config = settings
    return Prequantized(method, dense_bits)


def check_packages(method: str, name: str) -> None:
    """Accept a method whose packages are installed.

    Raises:
        ModelLoadError: one is missing, or there is no way to load such weights.
    """
    if method in UNKNOWN_TO_TRANSFORMERS:
        raise ModelLoadError(
            f"{name!r} is quantized as {method}: {UNKNOWN_TO_TRANSFORMERS[method]}"
        )
    missing = [pip for module, pip in PACKAGES.get(method, ()) if find_spec(module) is None]
    if missing:
        raise ModelLoadError(
            f"{name!r} is quantized by {method}, for which a package is missing;"
            f" pip install {' '.join(repr(pip) if '[' in pip else pip for pip in missing)}"
        )


def weights_place(config: PreTrainedConfig, folder: Path, options: LoadOptions) -> Path:
    """Return the folder the weights lie in, and tell the configuration which file they are.

    Raises:
        ModelLoadError: the file that was named is not there, or pickled.
    """
    if options.checkpoint is None or options.checkpoint.weights is None:
        return folder
    file = checkpoint_file(options.checkpoint.weights)
    config.transformers_weights = file.name
    return file.parent


def _weights_of(settings: dict[str, Any]) -> dict[str, Any]:
    """Return how the first group of a compressed-tensors checkpoint stores its weights."""
    group: dict[str, Any] = next(iter((settings.get("config_groups") or {}).values()), {})
    return group.get("weights") or {}


def _settings(
    config: PreTrainedConfig, folder: Path, options: LoadOptions
) -> dict[str, Any] | None:
    """Return how weights were quantized, as `quantization_config` has it."""
    own: Any = getattr(config, "quantization_config", None)
    if own is None:
        own = getattr(config.get_text_config(), "quantization_config", None)
    asked = options.checkpoint
    if own is None:
        return legacy_settings(folder) if asked is None else asked.settings()
    if not isinstance(own, dict) or not own.get("quant_method"):
        raise ModelLoadError(f"config.json of {folder.name!r} does not say how it is quantized")
    if asked is not None and (asked.method, asked.bits) != (own["quant_method"], own.get("bits")):
        raise ModelLoadError(
            f"config.json of {folder.name!r} says {own['quant_method']} with {own.get('bits')}"
            f" bits, not {asked.method} with {asked.bits}; leave the flag out"
        )
    return dict(own)
