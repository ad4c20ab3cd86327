"""What a token costs early and late in one long answer, alone on the machine.

    python -m benchmarks.engine_length [--model …] [--peers fastchat] [--quick] [--json FILE]

Attention reads more keys the longer the answer is; whatever else grows is the engine's own.
"""

import statistics
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.engine_options import (
    DTYPES,
    Setting,
    engine_parser,
    facts_of,
    jobs_of,
    parse_engine_options,
)
from benchmarks.peers.catalog import OURS, PEERS
from benchmarks.peers.environments import PeerUnavailableError
from benchmarks.peers.job import Job, Measurement
from benchmarks.peers.measuring import PeerProcess
from benchmarks.report import list_of, report
from benchmarks.shapes import QWEN, TINY

PLACES = (10, 100, 500, 1000, 2000)
AROUND = 8  # tokens on each side that are averaged over

FULL = Setting((QWEN,), DTYPES[1:], (1,), 32, PLACES[-1] + AROUND, 1)
QUICK = Setting((TINY,), DTYPES[:1], (1,), 16, 100 + AROUND, 1)


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the result: medians over the repetitions.

    Attributes:
        engine: what was measured.
        model: which shape.
        dtype: precision of the weights.
        at_token: place in the answer.
        cpu_ms: CPU time a token around there.
        clock_ms: the same by the clock.
        ratio: `cpu_ms` over that of the first place.
    """

    engine: str
    model: str
    dtype: str
    at_token: int
    cpu_ms: float
    clock_ms: float
    ratio: float


def cost_at(times_s: Sequence[float], place: int) -> float:
    """Return milliseconds a token around a place, counted from 1."""
    first, last = max(0, place - AROUND), min(len(times_s) - 1, place + AROUND)
    return (times_s[last] - times_s[first]) / (last - first) * 1e3


def rows_of(name: str, model: str, job: Job, runs: Sequence[Measurement]) -> list[Row]:
    """Return the cost at every place that the answer reaches."""
    rows: list[Row] = []
    for place in (place for place in PLACES if place <= job.new_tokens):
        cpu_ms = statistics.median(cost_at(run.cpu_times_s[0], place) for run in runs)
        clock_ms = statistics.median(cost_at(run.clock_times_s[0], place) for run in runs)
        ratio = cpu_ms / rows[0].cpu_ms if rows else 1.0
        rows.append(Row(name, model, job.dtype, place, cpu_ms, clock_ms, ratio))
    return rows


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print and write."""
    parser = engine_parser(__doc__)
    # Those that tell of each token when it is made.
    parser.add_argument("--peers", type=list_of(str, ("fastchat", "generate", "llama.cpp")))
    options = parse_engine_options(parser, arguments, full=FULL, quick=QUICK)
    rows: list[Row] = []
    missing: list[dict[str, str]] = []
    for model, job in jobs_of(options, has_times=True):
        for name in (OURS, *(options.peers or ())):
            try:
                with PeerProcess(PEERS[name], job, options.peers_home) as process:
                    runs = [process.measure(1, run) for run in range(job.repetitions + 1)][1:]
            except PeerUnavailableError as error:
                missing.append({"engine": name, "reason": error.reason})
                print(error, file=sys.stderr)
                continue
            rows += rows_of(name, model, job, runs)
    report(rows, options, unavailable=missing, **facts_of(options))


if __name__ == "__main__":
    main()
