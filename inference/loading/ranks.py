"""The processes that share one model: how they meet, and whether the model can be shared."""

from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from transformers import PreTrainedConfig

from inference.exceptions import ModelLoadError

BACKENDS: dict[str, str] = {
    "cpu": "gloo",
    "cuda": "cpu:gloo,cuda:nccl",
    "xpu": "cpu:gloo,xpu:xccl",
}
"""What carries the tensors of each kind of device; plans and agreements travel on the CPU."""

LONGEST_WAIT = timedelta(hours=2)
"""For one another, as ranks read weights at different speeds. A rank that hangs later is noticed
by the worker, whose engine then stands still."""

HEAD_COUNTS = ("num_attention_heads", "num_key_value_heads")
HEAD_PROJECTIONS = ("q_proj", "k_proj", "v_proj", "qkv_proj", "query_key_value")


def join_ranks(device: str) -> None:
    """Meet the other processes that torchrun has started, and take this one's own device.

    Args:
        device: "cpu", "cuda" or "xpu"; of accelerators the first process of a machine takes the
            first, and so on.

    Raises:
        ModelLoadError: this process was started alone, cannot reach the others, or finds no device
            of its own.
    """
    if device not in BACKENDS:
        raise ModelLoadError(f"tensor parallelism runs on {', '.join(BACKENDS)}, not on {device}")
    own = device_kind()
    if device != own:
        raise ModelLoadError(
            f"tensor parallelism takes the accelerator of the machine, here {own}, not {device}"
        )
    try:
        dist.init_process_group(BACKENDS[device], timeout=LONGEST_WAIT)
    except ValueError as error:  # torch misses its variables
        raise ModelLoadError(
            "tensor parallelism needs several processes; start them with"
            " torchrun --nproc-per-node N manage.py worker …"
        ) from error
    except RuntimeError as error:
        raise ModelLoadError(f"the processes cannot reach one another: {error}") from error
    if dist.get_world_size() < 2:
        leave_ranks()
        raise ModelLoadError("tensor parallelism needs at least two processes; one was started")
    if device != "cpu":
        _take_device(device)


def leave_ranks() -> None:
    """Part from the other processes; the connections close."""
    dist.destroy_process_group()


def device_kind() -> str:
    """Return the kind of accelerator torch would use here, or "cpu"."""
    accelerator = torch.accelerator.current_accelerator()
    return "cpu" if accelerator is None else accelerator.type


def check_can_be_shared(config: PreTrainedConfig, *, ranks: int) -> None:
    """Accept a model whose attention heads can be dealt out evenly.

    Raises:
        ModelLoadError: transformers has no plan for this kind of model, or the number of
            processes does not divide its heads.
    """
    text_config: Any = config.get_text_config()
    plan: dict[str, str] = getattr(text_config, "base_model_tp_plan", None) or {}
    if not plan:
        raise ModelLoadError(
            f"transformers has no tensor-parallel plan for {text_config.model_type!r} models;"
            " spread the model by layers with --num-gpus"
        )
    splits_heads = any(
        rule.rpartition(".")[2] in HEAD_PROJECTIONS and style == "colwise"
        for rule, style in plan.items()
    )
    for name in HEAD_COUNTS if splits_heads else ():
        heads = getattr(text_config, name, None)
        if isinstance(heads, int) and heads % ranks:
            raise ModelLoadError(
                f"{heads} ({name}) cannot be dealt out to {ranks} processes evenly"
            )


def _take_device(device: str) -> None:
    """Make this process's accelerator the current one."""
    number, count = dist.get_node_local_rank(), torch.accelerator.device_count()
    if number >= count:
        raise ModelLoadError(
            f"process {number} of this machine finds no device: there are {count} {device} devices"
        )
    torch.accelerator.set_device_index(number)
