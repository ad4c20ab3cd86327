"""The options that say how a model's weights are loaded, named as FastChat names them."""

from argparse import _ArgumentGroup
from typing import Any

from inference.conf import inference_settings
from inference.exceptions import ModelLoadError
from inference.loading.quantized_checkpoint import PLAIN_BITS, WIDTHS, Method, QuantizedCheckpoint
from inference.loading.visible_devices import show_only
from inference.management.argument_types import parse_gigabytes, parse_size

DTYPES = ("float32", "float16", "bfloat16")
TAKEN_AS_THEY_ARE = (
    "dtype",
    "load_8bit",
    "load_4bit",
    "cpu_offloading",
    "num_gpus",
    "max_gpu_memory",
    "revision",
    "trust_remote_code",
)
XFT_DTYPES = ("fp16", "bf16", "int8", "bf16_fp16", "bf16_int8")


def add_loading_arguments(group: _ArgumentGroup) -> None:
    """Declare them."""
    group.add_argument(
        "--dtype", choices=DTYPES, help="number format of the weights; by device and size if left"
    )
    group.add_argument(
        "--gpus", metavar="N[,N]…", help="accelerators this process may see, such as 0,2"
    )
    group.add_argument("--num-gpus", type=int, default=1, help="accelerators to spread over")
    group.add_argument(
        "--max-gpu-memory",
        type=parse_size,
        metavar="SIZE",
        help="most memory on each of them, such as 13GiB; 85 %% of what is free if left",
    )
    group.add_argument("--load-8bit", action="store_true", help="store weights in 8 bits")
    group.add_argument("--load-4bit", action="store_true", help="store weights in 4 bits")
    group.add_argument(
        "--cpu-offloading",
        action="store_true",
        help="with 8 bits, leave on the CPU what the accelerator cannot hold",
    )
    group.add_argument(
        "--revision", help="branch, tag or commit of a hub model; the main branch if left"
    )
    group.add_argument(
        "--trust-remote-code",
        action="store_true",
        help="run the Python code a model brings along; only for authors you trust",
    )
    _add_checkpoint_arguments(group, "gptq")
    group.add_argument(
        "--gptq-act-order", action="store_true", help="columns come by their activations"
    )
    _add_checkpoint_arguments(group, "awq")
    _add_kernel_arguments(group)


def _add_checkpoint_arguments(group: _ArgumentGroup, method: Method) -> None:
    """Declare what a folder that does not say itself how it was quantized needs."""
    group.add_argument(
        f"--{method}-ckpt",
        metavar="FILE",
        help=f"safetensors with {method.upper()} weights; those beside config.json if left",
    )
    group.add_argument(
        f"--{method}-wbits",
        type=int,
        choices=(*WIDTHS[method], PLAIN_BITS),
        default=PLAIN_BITS,
        help=f"bits of {method.upper()} weights, where config.json does not say",
    )
    group.add_argument(
        f"--{method}-groupsize",
        type=int,
        default=-1,
        help="weights that share a scale; -1 for a row",
    )


def _add_kernel_arguments(group: _ArgumentGroup) -> None:
    """Declare the options of ExLlama and of xFasterTransformer, which is refused."""
    group.add_argument(
        "--enable-exllama",
        action="store_true",
        help="compute GPTQ and AWQ weights by ExLlama's kernels (package gptqmodel)",
    )
    group.add_argument(
        "--exllama-max-seq-len", type=int, default=4096, help="window in tokens with ExLlama"
    )
    group.add_argument(
        "--exllama-gpu-split",
        type=parse_gigabytes,
        metavar="GIB[,GIB]…",
        help="most memory on each device with ExLlama, such as 20,7",
    )
    group.add_argument("--exllama-cache-8bit", action="store_true", help="not built; refused")
    group.add_argument("--enable-xft", action="store_true", help="no longer maintained; refused")
    group.add_argument("--xft-max-seq-len", type=int, default=4096, help="as --enable-xft")
    group.add_argument("--xft-dtype", choices=XFT_DTYPES, help="as --enable-xft")


def load_options(options: dict[str, Any]) -> dict[str, Any]:
    """Return the parsed options as `load_model` takes them; `--gpus` takes effect here.

    Raises:
        ModelLoadError: options contradict each other, or ask for what is not built.
    """
    _refuse_what_is_not_built(options)
    if options["gpus"] is not None:
        show_only(options["gpus"], device=options["device"], num_gpus=options["num_gpus"])
    settings = inference_settings()
    chosen = {
        **{name: options[name] for name in TAKEN_AS_THEY_ARE},
        "checkpoint": _checkpoint(options),
        "enable_exllama": options["enable_exllama"],
        "use_modelscope": settings.use_modelscope,
        "cpu_isa": settings.cpu_isa,
    }
    split = options["exllama_gpu_split"]
    if options["enable_exllama"] and split is not None:
        chosen |= {"num_gpus": len(split), "max_gpu_memory": split}
    return chosen


def window_of(options: dict[str, Any]) -> int | None:
    """Return the window that was asked for in tokens; None where nobody did."""
    exllama: int | None = options["exllama_max_seq_len"] if options["enable_exllama"] else None
    asked: int | None = options["context_length"]
    return asked or exllama


def _checkpoint(options: dict[str, Any]) -> QuantizedCheckpoint | None:
    """Read `--gptq-…` and `--awq-…`."""
    found = []
    for method in WIDTHS:
        bits, weights = options[f"{method}_wbits"], options[f"{method}_ckpt"]
        if bits != PLAIN_BITS:
            found.append(
                QuantizedCheckpoint(
                    method,
                    bits,
                    options[f"{method}_groupsize"],
                    by_activation=method == "gptq" and options["gptq_act_order"],
                    weights=weights,
                )
            )
        elif weights is not None:
            raise ModelLoadError(f"--{method}-ckpt needs --{method}-wbits, such as 4")
    if len(found) > 1:
        raise ModelLoadError("weights are quantized either by GPTQ or by AWQ, not by both")
    return found[0] if found else None


def _refuse_what_is_not_built(options: dict[str, Any]) -> None:
    if options["enable_xft"]:
        raise ModelLoadError(
            "xFasterTransformer is no longer maintained; take --device cpu with --dtype bfloat16,"
            " or with --load-8bit for 8-bit weights"
        )
    if options["exllama_cache_8bit"]:
        raise ModelLoadError(
            "--exllama-cache-8bit is not built: the KV cache keeps the model's own precision;"
            " bound it by --kv-cache-memory or --context-length"
        )
