"""The options of all benchmarks of the engine, and the jobs they ask for."""

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import torch
import transformers

from benchmarks.peers.job import Job
from benchmarks.report import list_of, options_parser, positive
from benchmarks.shapes import SHAPES, saved_model

DTYPES = ("float32", "bfloat16")


@dataclass(frozen=True, slots=True)
class Setting:
    """The size of a measurement; each field is an option, too.

    Attributes:
        model: which of `SHAPES`.
        dtype: precisions of the weights.
        streams: how many answers run at once, one measurement each.
        prompt_tokens: length of each prompt.
        new_tokens: length of each answer.
        repetitions: runs of each measurement; the median counts.
    """

    model: tuple[str, ...]
    dtype: tuple[str, ...]
    streams: tuple[int, ...]
    prompt_tokens: int
    new_tokens: int
    repetitions: int


def engine_parser(description: str | None) -> argparse.ArgumentParser:
    """Return a parser with what every benchmark of the engine can be told."""
    parser = options_parser(description)
    add = parser.add_argument
    add("--model", type=list_of(str, SHAPES), help=f"of {', '.join(SHAPES)}")
    add("--dtype", type=list_of(str, DTYPES), help="of float32, bfloat16")
    add("--streams", type=list_of(positive), help="answers at once, e.g. 1,16")
    add("--prompt-tokens", type=positive, help="length of each prompt")
    add("--new-tokens", type=positive, help="length of each answer")
    add("--repetitions", type=positive, help="runs of each measurement")
    add("--threads", type=positive, default=1, help="threads that compute (1)")
    add("--device", choices=("cpu", "cuda"), default="cpu")
    add(
        "--peers-home",
        type=Path,
        default=Path("var/peers"),
        metavar="FOLDER",
        help="where models, peers' environments and logs go (var/peers)",
    )
    return parser


def parse_engine_options(
    parser: argparse.ArgumentParser,
    arguments: Sequence[str] | None,
    *,
    full: Setting,
    quick: Setting,
) -> argparse.Namespace:
    """Read the options; what was not given comes from one of two settings."""
    options = parser.parse_args(arguments)
    defaults = quick if options.quick else full
    for field in fields(Setting):
        if getattr(options, field.name) is None:
            setattr(options, field.name, getattr(defaults, field.name))
    return options


def jobs_of(options: argparse.Namespace, *, has_times: bool = False) -> Iterator[tuple[str, Job]]:
    """Yield a model's name and a job for each model and precision; saves models on the way."""
    for model in options.model:
        folder = saved_model(model, options.peers_home / "models")
        for dtype in options.dtype:
            yield (
                model,
                Job(
                    folder=str(folder),
                    dtype=dtype,
                    device=options.device,
                    threads=options.threads,
                    streams=options.streams,
                    prompt_tokens=options.prompt_tokens,
                    new_tokens=options.new_tokens,
                    repetitions=options.repetitions,
                    has_times=has_times,
                ),
            )


def facts_of(options: argparse.Namespace) -> dict[str, object]:
    """Return what the numbers of a benchmark depend on, for its report."""
    setting = Setting(**{field.name: getattr(options, field.name) for field in fields(Setting)})
    return {
        **asdict(setting),
        "threads": options.threads,
        "device": options.device,
        "torch": torch.__version__,
        "transformers": transformers.__version__,
    }
