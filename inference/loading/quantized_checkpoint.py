"""What a command line says about weights that come in few bits, and what a folder says itself."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from inference.exceptions import ModelLoadError

Method = Literal["gptq", "awq"]

WIDTHS: dict[Method, tuple[int, ...]] = {"gptq": (2, 3, 4, 8), "awq": (4,)}
"""Bits that have kernels."""

PLAIN_BITS = 16
"""What FastChat's flags say for weights that are not quantized."""

LEGACY_FILES: dict[str, Method] = {"quantize_config.json": "gptq", "quant_config.json": "awq"}
"""Where quantizers wrote their settings before they went into config.json."""


KEPT = ("desc_act", "sym", "zero_point", "version")
"""Of those settings, what has the same name in config.json."""


@dataclass(frozen=True, slots=True)
class QuantizedCheckpoint:
    """Weights that were quantized beforehand.

    Attributes:
        method: how.
        bits: of a weight.
        group_size: weights that share a scale; -1 for a whole row.
        by_activation: whether columns come in the order of their activations (GPTQ's act-order).
        weights: the file, or the folder with it; None where it lies beside the configuration.
    """

    method: Method
    bits: int
    group_size: int = -1
    by_activation: bool = False
    weights: str | None = None

    def __post_init__(self) -> None:
        """Refuse widths without kernels.

        Raises:
            ModelLoadError: the bits or the group size mean nothing.
        """
        if self.bits not in WIDTHS[self.method]:
            known = ", ".join(map(str, WIDTHS[self.method]))
            raise ModelLoadError(
                f"--{self.method}-wbits must be one of {known}, not {self.bits};"
                f" {PLAIN_BITS} means that the weights are not quantized"
            )
        if self.group_size != -1 and self.group_size < 1:
            raise ModelLoadError(
                f"--{self.method}-groupsize must be -1 or at least 1, not {self.group_size}"
            )

    def settings(self) -> dict[str, Any]:
        """Return them as `quantization_config` in a config.json has them."""
        common = {"quant_method": self.method, "bits": self.bits, "group_size": self.group_size}
        if self.method == "awq":
            return {**common, "zero_point": True, "version": "gemm"}
        return {**common, "desc_act": self.by_activation}


def checkpoint_file(weights: str) -> Path:
    """Return the safetensors file that a `--gptq-ckpt` or `--awq-ckpt` means.

    Args:
        weights: the file, or a folder whose last safetensors file it is.

    Raises:
        ModelLoadError: there is none, or it is pickled.
    """
    path = Path(weights).expanduser()
    if path.is_dir():
        found = sorted(path.glob("*.safetensors"))
        if found:
            return found[-1]
        path = next(iter(sorted(path.glob("*.pt"))), path)
    if path.suffix in (".pt", ".bin", ".pth"):
        raise ModelLoadError(
            f"{path.name!r} is pickled, which can run code when it is read; take a checkpoint in"
            " safetensors, which quantizers have written since 2023, or convert it in a sandbox"
        )
    if path.suffix != ".safetensors" or not path.is_file():
        raise ModelLoadError(f"there is no safetensors file {weights!r}")
    return path


def legacy_settings(folder: Path) -> dict[str, Any] | None:
    """Return what older quantizers wrote beside config.json, as `quantization_config` has it.

    Raises:
        ModelLoadError: the file is no JSON object.
    """
    for name, method in LEGACY_FILES.items():
        if not (folder / name).is_file():
            continue
        try:
            found = json.loads((folder / name).read_text(encoding="utf-8"))
            bits = found.get("bits", found.get("w_bit"))
            group = found.get("group_size", found.get("q_group_size", -1))
            settings = QuantizedCheckpoint(method, int(bits), int(group)).settings()
        except (OSError, ValueError, TypeError, AttributeError) as error:
            raise ModelLoadError(f"{name} of {folder.name!r} cannot be read: {error}") from error
        return {**settings, **{key: found[key] for key in KEPT if key in found}}
    return None
