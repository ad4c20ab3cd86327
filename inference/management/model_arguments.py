"""The options of every command that loads models."""

from argparse import ArgumentParser
from typing import Any

from inference.management.argument_types import known_template, parse_share, parse_size
from inference.management.bad_input import refusals
from inference.management.loading_arguments import (
    add_loading_arguments,
    load_options,
    window_of,
)

DEVICES = ("auto", "cpu", "cuda", "mps", "xpu", "npu")
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


def add_model_arguments(parser: ArgumentParser) -> None:
    """Declare how models are loaded and run."""
    group = parser.add_argument_group("models")
    group.add_argument(
        "--device", choices=DEVICES, default="auto", help="where models run; auto takes the best"
    )
    add_loading_arguments(group)
    group.add_argument(
        "--base-model-path",
        metavar="PATH_OR_ID",
        help="where a model is an adapter, its base; the one it names if left",
    )
    group.add_argument(
        "--max-batch", type=int, default=16, metavar="N", help="answers generated at a time"
    )
    group.add_argument(
        "--context-length", type=int, metavar="N", help="window in tokens; the model's own if left"
    )
    group.add_argument(
        "--conv-template",
        type=known_template,
        metavar="FAMILY",
        help="write prompts as this family does (docs/reference/models.md), not as the model's own"
        " chat template",
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
    """Return the parsed options as `ModelSpec` takes them.

    `--gpus` takes effect here, so this comes before anything that asks torch for a device.

    Raises:
        CommandError: options contradict each other, or ask for what is not built.
    """
    with refusals():
        loading = load_options(options)
    return {
        "device": options["device"],
        "max_batch": options["max_batch"],
        "context_length": window_of(options),
        "conv_template": options["conv_template"],
        "draft_model_path": options["draft_model_path"],
        "base_model_path": options["base_model_path"],
        "load_options": loading,
        "engine_options": {name: options[name] for name in ENGINE},
    }


def for_another_model(options: dict[str, Any]) -> dict[str, Any]:
    """Return what `spec_options` gave for a model that its paths were not made for.

    A draft model, a chat template, a quantized checkpoint and a revision belong to one model.
    """
    engine_options = dict(options["engine_options"])
    if engine_options["speculation"] == "draft":
        engine_options["speculation"] = None
    loading = {**options["load_options"], "checkpoint": None, "revision": None}
    return {
        **options,
        "conv_template": None,
        "draft_model_path": None,
        "base_model_path": None,
        "engine_options": engine_options,
        "load_options": loading,
    }
