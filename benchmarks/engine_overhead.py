"""How much of a decode step the engine spends outside the model's forward pass.

    python -m benchmarks.engine_overhead [--model …] [--streams 16] [--quick] [--json FILE]

Outside is all there is between two forward passes: scheduling, laying out the batch, planning its
attention, sampling, text. By CPU time on a CPU; by the clock on CUDA, where waiting for the device
after each forward takes away what would overlap.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from benchmarks.engine_options import (
    DTYPES,
    Setting,
    engine_parser,
    facts_of,
    jobs_of,
    parse_engine_options,
)
from benchmarks.peers.job import Job, prompts_of
from benchmarks.peers.own_engine import open_engine
from benchmarks.report import report
from benchmarks.shapes import QWEN, TINY
from inference.engine.llm_engine import LLMEngine
from inference.generation import SamplingParams
from inference.messages import Message, Role

FULL = Setting((QWEN,), DTYPES, (16,), 128, 128, 1)
QUICK = Setting((TINY,), DTYPES[:1], (4,), 16, 16, 1)


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the result, over the steps in which every stream decodes.

    Attributes:
        model: which shape.
        dtype: precision of the weights.
        streams: answers at once.
        step_ms: time of a step.
        forward_ms: what of it the model's forward took.
        outside_ms: the rest.
        outside_share: of the step, in [0, 1].
    """

    model: str
    dtype: str
    streams: int
    step_ms: float
    forward_ms: float
    outside_ms: float
    outside_share: float


class Timed:
    """A forward pass that adds up how long it takes."""

    def __init__(self, forward: Callable[..., Any], now: Callable[[], float]) -> None:
        self._forward = forward
        self._now = now
        self.total_s = 0.0

    def __call__(self, *arguments: Any) -> Any:
        """Compute and add the time."""
        start = self._now()
        result = self._forward(*arguments)
        self.total_s += self._now() - start
        return result


def clock_of(device: str) -> Callable[[], float]:
    """Return what tells the time on a device."""
    if device == "cpu":
        return time.process_time

    def after_all_work() -> float:
        torch.cuda.synchronize()
        return time.perf_counter()

    return after_all_work


def measure(model: str, job: Job, streams: int, engine: LLMEngine) -> Row:
    """Measure the steps of one batch from the moment all of it decodes."""
    now = clock_of(job.device)
    runner: Any = engine._runner  # noqa: SLF001 (the forward pass is nobody else's business)
    forward = runner._forward  # noqa: SLF001
    timed = Timed(forward, now)
    params = SamplingParams(temperature=0, max_tokens=job.new_tokens, ignore_eos=True)
    for number, prompt in enumerate(prompts_of(job, streams, repetition=0)):
        engine.submit(str(number), messages=[Message(Role.USER, prompt)], params=params)
    while len(engine.step()) < streams:
        pass  # prompts are being read
    runner._forward = timed  # noqa: SLF001
    steps, start = 0, now()
    while len(engine.step()) == streams:
        steps += 1
    step_s = (now() - start) / (steps + 1)
    runner._forward = forward  # noqa: SLF001
    while engine.has_work():
        engine.step()
    forward_s = timed.total_s / (steps + 1)
    outside_s = step_s - forward_s
    return Row(
        model, job.dtype, streams, step_s * 1e3, forward_s * 1e3, outside_s * 1e3,
        outside_s / step_s,
    )  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print and write."""
    options = parse_engine_options(engine_parser(__doc__), arguments, full=FULL, quick=QUICK)
    rows: list[Row] = []
    for model, job in jobs_of(options):
        engine = open_engine(job)
        rows += [measure(model, job, streams, engine) for streams in job.streams]
    report(rows, options, **facts_of(options))


if __name__ == "__main__":
    main()
