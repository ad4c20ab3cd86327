"""How many tokens the engine makes in a second and in a CPU second, with 1 to 32 answers at once.

    python -m benchmarks.engine [--model …] [--dtype …] [--streams 1,16] [--peers all]
                                [--quick] [--json FILE]

Models have random weights; all engines load the same files, answer the same prompts and run one
after the other, each in a process of its own. CPU seconds are those of that process and its
children: other work on the machine distorts them least.
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from benchmarks.bandwidth import read_bandwidth
from benchmarks.engine_options import (
    DTYPES,
    Setting,
    engine_parser,
    facts_of,
    jobs_of,
    parse_engine_options,
)
from benchmarks.engine_rows import (
    Row,
    Unavailable,
    earlier_rows,
    merged,
    ratios_of,
    row_of,
)
from benchmarks.peers.catalog import OURS, PEERS
from benchmarks.peers.environments import PeerUnavailableError
from benchmarks.peers.job import Job
from benchmarks.peers.measuring import measurements_of
from benchmarks.report import list_of, table_of, write
from benchmarks.shapes import LLAMA, QWEN, TINY

FULL = Setting((LLAMA, QWEN), DTYPES, (1, 4, 8, 16, 32), 128, 128, 3)
QUICK = Setting((TINY,), DTYPES[:1], (1, 4), 16, 16, 1)
NEED_NOTHING = ("generate", "transformers")  # peers that this environment already has


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


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read the options."""
    parser = engine_parser(__doc__)
    parser.add_argument(
        "--peers",
        type=list_of(str, (*PEERS, "all", "none")),
        default=NEED_NOTHING,
        help=f"all, none or some of {', '.join(PEERS)} ({','.join(NEED_NOTHING)})",
    )
    parser.add_argument(
        "--keep", type=Path, metavar="FILE", help="add what an earlier report has beside this one"
    )
    options = parse_engine_options(parser, arguments, full=FULL, quick=QUICK)
    chosen = tuple(PEERS) if "all" in options.peers else options.peers
    options.peers = tuple(name for name in chosen if name not in {OURS, "none"})
    return options


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print and write; the file is up to date after each engine."""
    options = parse(arguments)
    bandwidth = read_bandwidth(options.device, options.threads)
    facts = {"read_bandwidth_bytes_per_s": bandwidth, **facts_of(options)}
    earlier = earlier_rows(options.keep)
    measured: list[Row] = []
    missing: list[Unavailable] = []
    for model, job in jobs_of(options):
        for name in (OURS, *options.peers):
            try:
                measured += measure(name, model, job, options.peers_home, bandwidth)
            except PeerUnavailableError as error:
                missing.append(Unavailable(name, model, job.dtype, error.reason))
            rows = merged(earlier, measured)
            ratios = [asdict(ratio) for ratio in ratios_of(rows)]
            unavailable = [asdict(peer) for peer in missing]
            write(rows, options, ratios=ratios, unavailable=unavailable, **facts)
    for records in filter(None, ([asdict(row) for row in rows], ratios, unavailable)):
        print(table_of(records) + "\n")


if __name__ == "__main__":
    main()
