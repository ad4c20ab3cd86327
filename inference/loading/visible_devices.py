"""Which accelerators a process sees, decided before torch looks."""

import os
import re
from collections.abc import MutableMapping

from inference.exceptions import ModelLoadError

VARIABLES: dict[str, tuple[str, ...]] = {
    "cuda": ("CUDA_VISIBLE_DEVICES",),  # ROCm reads it too
    "xpu": ("XPU_VISIBLE_DEVICES", "ZE_AFFINITY_MASK"),
    "npu": ("ASCEND_RT_VISIBLE_DEVICES",),
}
"""What each kind of driver reads; the second one of xpu is what its driver obeys today."""

IDENTIFIER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/-]{0,79}")
"""A number, or a name such as GPU-8932f937-d72c-4106-c12f-20bd9faed9f6."""


def show_only(
    gpus: str,
    *,
    device: str,
    num_gpus: int = 1,
    environment: MutableMapping[str, str] | None = None,
) -> None:
    """Let this process see some accelerators only; the first one named becomes number 0.

    Must be called before torch asks its driver for the first time.

    Args:
        gpus: their numbers or names, separated by commas, such as "0,2".
        device: the kind of device; "auto" stands for all kinds.
        num_gpus: how many of them a model is spread over.
        environment: where the variables are set; None means this process.

    Raises:
        ModelLoadError: the list names no devices, one of them twice, or fewer than are needed.
    """
    named = [name.strip() for name in gpus.split(",")]
    if not all(IDENTIFIER.fullmatch(name) for name in named):
        raise ModelLoadError(f"--gpus takes numbers separated by commas, such as 0,2; not {gpus!r}")
    if len(set(named)) < len(named):
        raise ModelLoadError(f"--gpus {gpus} names a device twice")
    if len(named) < num_gpus:
        raise ModelLoadError(
            f"--gpus {gpus} names fewer devices than --num-gpus {num_gpus} asks for"
        )
    target = os.environ if environment is None else environment
    for kind, variables in VARIABLES.items():
        if device in ("auto", kind):
            target.update(dict.fromkeys(variables, ",".join(named)))
