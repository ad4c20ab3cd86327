"""The options of every command that loads models."""

import re
from argparse import ArgumentParser, ArgumentTypeError
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
ENGINE = (
    "kv_cache_bytes",
    "kv_memory_share",
    "max_batched_tokens",
    "threads",
    "weights",
    "prefix_cache",
    "attention",
    "cuda_graphs",
    "speculation",
    "draft_tokens",
)
WEIGHTS = ("as_loaded", "int8", "int4")
ATTENTIONS = ("auto", "flash3", "flash2", "varlen", "gathered", "flex", "rows")
SPECULATIONS = ("off", "prompt_lookup", "draft")
UNITS = {"": 1, **{unit: 1000**power for power, unit in enumerate(("KB", "MB", "GB", "TB"), 1)}}
UNITS |= {unit: 1024**power for power, unit in enumerate(("KiB", "MiB", "GiB", "TiB"), 1)}


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
    group.add_argument(
        "--kv-cache-memory",
        dest="kv_cache_bytes",
        type=parse_size,
        metavar="SIZE",
        help="memory of the KV cache, such as 4GiB; by --gpu-memory-utilization if left",
    )
    group.add_argument(
        "--gpu-memory-utilization",
        dest="kv_memory_share",
        type=parse_share,
        metavar="SHARE",
        help="part of the free memory the KV cache may take, in (0, 1); if left, 0.9 on an"
        " accelerator and 0.3 on CPU",
    )
    group.add_argument(
        "--max-batched-tokens",
        type=int,
        metavar="N",
        help="tokens of one step, answers and prompts together; by device if left",
    )
    group.add_argument(
        "--threads", type=int, metavar="N", help="CPU threads of a model; by its size if left"
    )
    group.add_argument(
        "--weights",
        choices=WEIGHTS,
        help="keep weights in 8 or 4 bits on CPU, where reading them takes the time; as loaded if"
        " left",
    )
    group.add_argument(
        "--no-prefix-cache",
        dest="prefix_cache",
        action="store_false",
        help="read every prompt from its beginning, even if it began like an earlier one",
    )
    group.add_argument(
        "--attention",
        choices=ATTENTIONS,
        help="what computes attention on CUDA; the best that gives the model's own scores if left",
    )
    group.add_argument(
        "--no-cuda-graphs",
        dest="cuda_graphs",
        action="store_false",
        help="launch every kernel of a decode step by itself on CUDA",
    )
    group.add_argument(
        "--speculation",
        choices=SPECULATIONS,
        help="guess tokens ahead and check them together: by what followed the same words in the"
        " text, or by a smaller model; off if left, draft with --draft-model-path",
    )
    group.add_argument(
        "--draft-model-path",
        metavar="PATH_OR_ID",
        help="smaller model of the same tokenizer that guesses ahead",
    )
    group.add_argument(
        "--draft-tokens", type=int, metavar="N", help="most tokens guessed ahead; 4 if left"
    )


def spec_options(options: dict[str, Any]) -> dict[str, Any]:
    """Return the parsed options as `ModelSpec` takes them."""
    return {
        "device": options["device"],
        "max_batch": options["max_batch"],
        "context_length": options["context_length"],
        "draft_model_path": options["draft_model_path"],
        "load_options": {name: options[name] for name in LOADING},
        "engine_options": {name: options[name] for name in ENGINE},
    }


def without_draft_model(options: dict[str, Any]) -> dict[str, Any]:
    """Return what `spec_options` gave for a model the draft model was not made for."""
    engine_options = dict(options["engine_options"])
    if engine_options["speculation"] == "draft":
        engine_options["speculation"] = None
    return {**options, "draft_model_path": None, "engine_options": engine_options}


def parse_size(text: str) -> int:
    """Return the bytes of a size such as `4GiB`, `500MB` or `1000000`.

    Raises:
        ArgumentTypeError: it is none, or not above 0.
    """
    match = re.fullmatch(r"(\d{1,15}(?:\.\d{1,6})?) ?([KMGT]i?B|)", text)
    size = int(float(match[1]) * UNITS[match[2]]) if match else 0
    if size < 1:
        raise ArgumentTypeError(f"{text!r} is not a size such as 4GiB or 500MB")
    return size


def parse_share(text: str) -> float:
    """Return a number between 0 and 1.

    Raises:
        ArgumentTypeError: it is none.
    """
    try:
        share = float(text)
    except ValueError:
        share = 0.0
    if not 0 < share < 1:
        raise ArgumentTypeError(f"{text!r} is not a number between 0 and 1")
    return share
