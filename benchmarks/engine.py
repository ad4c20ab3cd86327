"""How many tokens the engine makes in a second and in a CPU second, with 1 to 32 answers at once.

    python -m benchmarks.engine [--model …] [--dtype …] [--streams 1,16] [--peers all]
                                [--quick] [--json FILE]

Models have random weights; all engines load the same files, answer the same prompts and take
turns, each in a process of its own. CPU seconds are those of that process and its children: other
work on the machine distorts them least.
"""

import argparse
import sys
from collections.abc import Sequence
from contextlib import ExitStack
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
    Unavailable,
    earlier_rows,
    merged,
    ratios_of,
    records_of,
    row_of,
    with_shares,
)
from benchmarks.peers.catalog import OURS, PEERS
from benchmarks.peers.environments import PeerUnavailableError
from benchmarks.peers.job import Job, Measurement
from benchmarks.peers.measuring import PeerProcess
from benchmarks.report import list_of, table_of, write
from benchmarks.shapes import LLAMA, QWEN, TINY

FULL = Setting((LLAMA, QWEN), DTYPES, (1, 4, 8, 16, 32), 128, 128, 3)
QUICK = Setting((TINY,), DTYPES[:1], (1, 4), 16, 16, 1)
NEED_NOTHING = ("generate", "transformers")  # peers that this environment already has


class Round:
    """All engines with one job's model loaded, which take turns.

    What disturbs the machine for a while then disturbs all of them. An engine that fails is not
    asked again.

    Attributes:
        missing: the engines that failed or never ran.
    """

    def __init__(self, names: Sequence[str], model: str, job: Job) -> None:
        self._names = names
        self._model = model
        self._job = job
        self._processes: dict[str, PeerProcess] = {}
        self.missing: list[Unavailable] = []

    def open(self, home: Path, stack: ExitStack) -> None:
        """Load the model into every engine, one after the other."""
        for name in self._names:
            print(f"loading {self._model} {self._job.dtype}: {name}", file=sys.stderr)
            try:
                process = stack.enter_context(PeerProcess(PEERS[name], self._job, home))
            except PeerUnavailableError as error:
                self._leave_out(error)
            else:
                self._processes[name] = process

    def measure(self, streams: int) -> dict[str, list[Measurement]]:
        """Return every engine's repetitions with so many streams.

        One that answers serially gets one request: more cost it the same, each.
        """
        print(f"measuring {self._model} {self._job.dtype}: {streams} streams", file=sys.stderr)
        runs: dict[str, list[Measurement]] = {name: [] for name in self._processes}
        for repetition in range(self._job.repetitions + 1):
            for name, process in list(self._processes.items()):
                at_once = 1 if process.peer.is_serial else streams
                try:
                    runs[name].append(process.measure(at_once, repetition))
                except PeerUnavailableError as error:
                    del self._processes[name]
                    self._leave_out(error)
        return {name: runs[name][1:] for name in self._processes}  # the first one warmed up

    def _leave_out(self, error: PeerUnavailableError) -> None:
        print(error, file=sys.stderr)
        self.missing.append(Unavailable(error.peer, self._model, self._job.dtype, error.reason))


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
    """Measure, print and write; the file is up to date after each number of streams."""
    options = parse(arguments)
    bandwidth = 0.0
    facts = facts_of(options)
    rows = earlier_rows(options.keep)
    missing: list[Unavailable] = []
    for model, job in jobs_of(options):
        with ExitStack() as stack:
            engines = Round((OURS, *options.peers), model, job)
            engines.open(options.peers_home, stack)
            for streams in job.streams:
                runs = engines.measure(streams)
                measured = [row_of(name, model, job, streams, runs[name]) for name in runs]
                # Measured again and again: only the best is what memory can give.
                bandwidth = max(bandwidth, read_bandwidth(options.device, options.threads))
                facts["read_bandwidth_gb_per_s"] = bandwidth / 1e9
                rows = with_shares(merged(rows, measured), bandwidth)
                unavailable = records_of([*missing, *engines.missing])
                ratios = records_of(ratios_of(rows))
                write(rows, options, ratios=ratios, unavailable=unavailable, **facts)
            missing += engines.missing
    for records in filter(None, (records_of(rows), ratios, unavailable)):
        print(table_of(records) + "\n")


if __name__ == "__main__":
    main()
