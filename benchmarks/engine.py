"""How many tokens the engine makes in a second and in a CPU second, with 1 to 32 answers at once.

    python -m benchmarks.engine [--model …] [--dtype …] [--streams 1,16] [--peers all]
                                [--quick] [--json FILE]

Models have random weights; all engines load the same files, answer the same prompts and run one
after the other, each in a process of its own. CPU seconds are those of that process and its
children: other work on the machine distorts them least.
"""

import argparse
import statistics
import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from transformers import AutoConfig

from benchmarks.bandwidth import bytes_per_step, read_bandwidth
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
from benchmarks.peers.measuring import measurements_of
from benchmarks.report import list_of, report, table_of
from benchmarks.shapes import LLAMA, QWEN, TINY

FULL = Setting((LLAMA, QWEN), DTYPES, (1, 4, 8, 16, 32), 128, 128, 3)
QUICK = Setting((TINY,), DTYPES[:1], (1, 4), 16, 16, 1)
NEED_NOTHING = ("generate", "transformers")  # peers that this environment already has


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the result: medians over the repetitions.

    Attributes:
        engine: what was measured.
        model: which shape.
        dtype: precision of the weights.
        streams: answers at once.
        tokens_per_s: new tokens in a second of the clock, all streams together.
        tokens_per_cpu_s: new tokens in a second of CPU time.
        first_token_s: from submission to a stream's first token, all submitted at once.
        step_ms: clock time in which every stream gets its next token.
        bandwidth_share: what a step must read, over what memory gives in that time.
    """

    engine: str
    model: str
    dtype: str
    streams: int
    tokens_per_s: float
    tokens_per_cpu_s: float
    first_token_s: float
    step_ms: float
    bandwidth_share: float


@dataclass(frozen=True, slots=True)
class Ratio:
    """How often our engine does what a peer does once; above 1 it is the faster one."""

    model: str
    dtype: str
    streams: int
    peer: str
    per_cpu_s: float
    per_s: float
    first_token: float


@dataclass(frozen=True, slots=True)
class Unavailable:
    """A peer that was not measured."""

    engine: str
    model: str
    dtype: str
    reason: str


def row_of(engine: str, model: str, job: Job, runs: Sequence[Measurement], bandwidth: float) -> Row:
    """Put the repetitions of one measurement together."""

    def median(values: Iterable[float]) -> float:
        return statistics.median(values)

    streams = runs[0].streams
    step_s = median(run.step_s for run in runs)
    read_bytes = bytes_per_step(
        AutoConfig.from_pretrained(job.folder),
        job.dtype,
        streams=streams,
        context_tokens=job.prompt_tokens + job.new_tokens / 2,
    )
    return Row(
        engine,
        model,
        job.dtype,
        streams,
        median(run.tokens / run.seconds for run in runs),
        median(run.tokens / run.cpu_s for run in runs),
        median(run.first_token_s for run in runs),
        step_s * 1e3,
        # A peer that is served serially takes a step of one stream at a time.
        read_bytes / step_s / bandwidth,
    )


def measure(name: str, model: str, job: Job, home: Path, bandwidth: float) -> list[Row]:
    """Measure one engine on one model.

    Raises:
        PeerUnavailableError: it cannot be measured here.
    """
    print(f"measuring {name}: {model} {job.dtype}", file=sys.stderr)
    runs = measurements_of(PEERS[name], job, home)
    counts = sorted({run.streams for run in runs})
    return [
        row_of(name, model, job, [run for run in runs if run.streams == count], bandwidth)
        for count in counts
    ]


def ratios_of(rows: Sequence[Row]) -> list[Ratio]:
    """Compare each of our rows with every peer's of the same setting.

    One that answers serially costs the same however many wait: its only row stands for all, and
    its time to the first token is left to what it is with one.
    """
    found = []
    for ours in (row for row in rows if row.engine == OURS):
        for peer in rows:
            is_same = (peer.model, peer.dtype) == (ours.model, ours.dtype)
            is_serial = PEERS[peer.engine].is_serial
            if peer.engine != OURS and is_same and (is_serial or peer.streams == ours.streams):
                found.append(
                    Ratio(
                        ours.model,
                        ours.dtype,
                        ours.streams,
                        peer.engine,
                        ours.tokens_per_cpu_s / peer.tokens_per_cpu_s,
                        ours.tokens_per_s / peer.tokens_per_s,
                        peer.first_token_s / ours.first_token_s,
                    )
                )
    return found


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read the options."""
    parser = engine_parser(__doc__)
    parser.add_argument(
        "--peers",
        type=list_of(str, (*PEERS, "all", "none")),
        default=NEED_NOTHING,
        help=f"all, none or some of {', '.join(PEERS)} ({','.join(NEED_NOTHING)})",
    )
    options = parse_engine_options(parser, arguments, full=FULL, quick=QUICK)
    chosen = tuple(PEERS) if "all" in options.peers else options.peers
    options.peers = tuple(name for name in chosen if name not in {OURS, "none"})
    return options


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print and write."""
    options = parse(arguments)
    bandwidth = read_bandwidth(options.device, options.threads)
    rows: list[Row] = []
    missing: list[Unavailable] = []
    for model, job in jobs_of(options):
        for name in (OURS, *options.peers):
            try:
                rows += measure(name, model, job, options.peers_home, bandwidth)
            except PeerUnavailableError as error:
                missing.append(Unavailable(name, model, job.dtype, error.reason))
    ratios = [asdict(ratio) for ratio in ratios_of(rows)]
    unavailable = [asdict(peer) for peer in missing]
    report(
        rows,
        options,
        ratios=ratios,
        unavailable=unavailable,
        read_bandwidth_bytes_per_s=bandwidth,
        **facts_of(options),
    )
    for records in filter(None, (ratios, unavailable)):
        print("\n" + table_of(records))


if __name__ == "__main__":
    main()
