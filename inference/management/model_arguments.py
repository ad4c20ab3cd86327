"""The options of every command that loads models."""

from argparse import ArgumentParser
from typing import Any

DEVICES = ("auto", "cpu", "cuda", "mps", "xpu", "npu")
DTYPES = ("float32", "float16", "bfloat16")
LOADING = (
    "dtype",
    "load_8bit",
    "load_4bit",
    "cpu_offloading",
    "num_gpus",
    "max_gpu_memory",
    "revision",
)


def add_model_arguments(parser: ArgumentParser) -> None:
    """Declare how models are loaded and run."""
    group = parser.add_argument_group("models")
    group.add_argument(
        "--device", choices=DEVICES, default="auto", help="where models run; auto takes the best"
    )
    group.add_argument(
        "--dtype", choices=DTYPES, help="number format of the weights; by device and size if left"
    )
    group.add_argument("--num-gpus", type=int, default=1, help="CUDA devices to spread over")
    group.add_argument(
        "--max-gpu-memory", metavar="SIZE", help="most memory on each of them, such as 8GiB"
    )
    group.add_argument("--load-8bit", action="store_true", help="store weights in 8 bits")
    group.add_argument("--load-4bit", action="store_true", help="store weights in 4 bits")
    group.add_argument(
        "--cpu-offloading",
        action="store_true",
        help="with 8 bits, leave on the CPU what the accelerator cannot hold",
    )
    group.add_argument("--revision", help="branch, tag or commit of a hub model")
    group.add_argument(
        "--max-batch", type=int, default=16, metavar="N", help="answers generated at a time"
    )
    group.add_argument(
        "--context-length", type=int, metavar="N", help="window in tokens; the model's own if left"
    )


def spec_options(options: dict[str, Any]) -> dict[str, Any]:
    """Return the parsed options as `ModelSpec` takes them."""
    return {
        "device": options["device"],
        "max_batch": options["max_batch"],
        "context_length": options["context_length"],
        "load_options": {name: options[name] for name in LOADING},
    }
