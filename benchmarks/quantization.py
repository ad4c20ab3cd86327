"""What fewer bits cost and give on a CPU: error of scores, memory and speed, each in its process.

Compares the weights as they are, bitsandbytes' 8 and 4 bits (what `--load-8bit` and `--load-4bit`
do on an accelerator) and this engine's own int8 and int4 (`--weights`).
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from benchmarks.quantization_job import Job
from benchmarks.report import list_of, options_parser, report
from benchmarks.shapes import LLAMA, QWEN, TINY, saved_model
from inference.demo_models import demo_model_folders

DEMO = "demo-large"
MODELS = (DEMO, LLAMA, QWEN, TINY)

PROMPTS = (
    "What is the capital of France?",
    "Tell me a joke.",
    "Write a poem about the sea.",
    "How much is 7 plus 12?",
    "法国的首都是哪里？",
    "给我讲个笑话。",
    "What is the opposite of hot?",
    "Who are you?",
)
"""The random models know the English ones only: their tokens are single characters."""

WAYS: dict[str, tuple[dict[str, Any], str]] = {
    "float32": ({"dtype": "float32"}, "as_loaded"),
    "bfloat16": ({"dtype": "bfloat16"}, "as_loaded"),
    "bitsandbytes 8-bit": ({"dtype": "bfloat16", "load_8bit": True}, "as_loaded"),
    "bitsandbytes NF4": ({"dtype": "bfloat16", "load_4bit": True}, "as_loaded"),
    "own int8": ({"dtype": "bfloat16"}, "int8"),
    "own int4": ({"dtype": "bfloat16"}, "int4"),
    "own int8 from float32": ({"dtype": "float32"}, "int8"),
    "own int4 from float32": ({"dtype": "float32"}, "int4"),
}
"""How weights are loaded, and how the engine keeps them; the first one is the truth."""


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the result; see `quantization_job.Result` for what is measured.

    Attributes:
        model: which one.
        weights: how they are kept.
        error: distance of all scores from those of float32, over their size.
        agreement: share of positions with the same likeliest token.
        loss: of float32's own answers, in nats a token.
        held_mb: memory of the model at work.
        mapped_mb: pages of its files beside, which the system drops at will.
        peak_mb: most of both on the way there.
        load_s: CPU time of loading.
        tokens_per_cpu_s: one answer.
        tokens_per_cpu_s_of_8: eight answers at a time.
        way: how the engine computes.
    """

    model: str
    weights: str
    error: float
    agreement: float
    loss: float
    held_mb: float
    mapped_mb: float
    peak_mb: float
    load_s: float
    tokens_per_cpu_s: float
    tokens_per_cpu_s_of_8: float
    way: str


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print and write."""
    parser = options_parser(__doc__)
    parser.add_argument(
        "--models",
        type=list_of(str, MODELS),
        default=(DEMO, LLAMA),
        help=f"separated by commas, of {', '.join(MODELS)}",
    )
    parser.add_argument("--new-tokens", type=int, default=32, help="length of an answer")
    options = parser.parse_args(arguments)
    if options.quick:
        options.models, options.new_tokens = (TINY,), 4
    with tempfile.TemporaryDirectory() as place:
        rows = [row for name in options.models for row in rows_of(name, Path(place), options)]
    report(rows, options, torch=torch.__version__, threads=1, new_tokens=options.new_tokens)


def rows_of(name: str, place: Path, options: Any) -> list[Row]:
    """Measure one model every way, one after the other."""
    folder = demo_model_folders()[name] if name == DEMO else saved_model(name, place / "models")
    prompts = PROMPTS if name == DEMO else tuple(text for text in PROMPTS if text.isascii())
    rows = []
    for weights, (load_options, kept) in WAYS.items():
        job = Job(
            str(folder), load_options, kept, prompts, str(place / f"{name}.safetensors"),
            options.new_tokens, (1, 8),
        )  # fmt: skip
        found = run_alone(job)
        one, eight = found.pop("tokens_per_cpu_s")
        rows.append(Row(name, weights, **found, tokens_per_cpu_s=one, tokens_per_cpu_s_of_8=eight))
        print(f"{name} {weights}: done", file=sys.stderr)
    return rows


def run_alone(job: Job) -> dict[str, Any]:
    """Run a job in a fresh process on one thread; return its result."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.quantization_job", json.dumps(asdict(job))],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"{job.load_options} {job.weights} failed:\n{done.stderr[-2000:]}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


if __name__ == "__main__":
    main()
