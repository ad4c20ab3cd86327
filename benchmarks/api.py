"""What the HTTP API adds to a script that it serves: waiting, CPU time and memory.

    python -m benchmarks.api [--servers uvicorn,daphne,uvicorn+redis] [--peers fastchat]
                             [--streams 50] [--idle 1000] [--quick] [--json FILE]

A script answers 30 tokens a second to each stream. The same script is read in this process and
through each server; added time is the difference of their percentiles. Servers have their own
processes; CPU time is that of the one that speaks HTTP, and of all that it needs.
"""

import argparse
import asyncio
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from benchmarks.api_load import BrokenAnswerError, SilentReaders, all_readings
from benchmarks.api_rows import IdleRow, Row, Unavailable, ratios_of, row_of
from benchmarks.api_script import TOKENS_PER_S
from benchmarks.api_servers import FASTCHAT, OWN, Server, running_server
from benchmarks.peers.environments import PeerUnavailableError
from benchmarks.report import list_of, options_parser, positive, table_of, write

BARE = "bare script"


async def measure(name: str, server: Server, bare: Row, said: set[str], repetitions: int) -> Row:
    """Read answers through a server, after one a stream to warm up.

    Raises:
        RuntimeError: its answers are not the script's.
    """
    await all_readings(server.port, bare.streams, 1)
    before_s = server.cpu_s()
    readings = await all_readings(server.port, bare.streams, repetitions)
    after_s = server.cpu_s()
    cpu_s = (after_s[0] - before_s[0], after_s[1] - before_s[1])
    if {reading.text for reading in readings} != said:
        raise RuntimeError(f"{name} does not say what the script says")
    return row_of(name, bare.streams, readings, cpu_s=cpu_s, bare=bare)


async def hold(name: str, server: Server, streams: int, seconds: float) -> IdleRow:
    """Keep silent streams open for a while, after a few that warm up."""
    async with SilentReaders(server.port).open(min(streams, 20)):
        pass
    await asyncio.sleep(1)  # the server hears of their end
    before_mb = server.resident_mb()
    readers = SilentReaders(server.port)
    async with readers.open(streams):
        began_s, (cpu_s, _) = time.monotonic(), server.cpu_s()
        await asyncio.sleep(seconds)
        share = (server.cpu_s()[0] - cpu_s) / (time.monotonic() - began_s)
        after_mb = server.resident_mb()
        comments, lost = readers.comments, readers.lost
    a_stream = (after_mb - before_mb) / streams * 1000
    return IdleRow(name, streams, before_mb, after_mb, a_stream, share, comments, lost)


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read the options; what was not given depends on `--quick`."""
    parser = options_parser(__doc__)
    add = parser.add_argument
    add("--servers", type=list_of(str, OWN), help=f"of {', '.join(OWN)}")
    add("--peers", type=list_of(str, (FASTCHAT,)), default=(), help="fastchat")
    add("--streams", type=positive, help="answers at once (50)")
    add("--repetitions", type=positive, help="answers of each stream (6)")
    add("--idle", type=positive, help="streams that are held open in silence (1000)")
    add("--idle-seconds", type=positive, help="for how long (15)")
    add("--peers-home", type=Path, default=Path("var/peers"), metavar="FOLDER",
        help="where peers' environments go (var/peers)")  # fmt: skip
    options = parser.parse_args(arguments)
    quick, full = (OWN[:1], 10, 2, 50, 6), (OWN, 50, 6, 1000, 15)
    names = ("servers", "streams", "repetitions", "idle", "idle_seconds")
    for name, value in zip(names, quick if options.quick else full, strict=True):
        if getattr(options, name) is None:
            setattr(options, name, value)
    return options


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the tables; with `--json` write them too."""
    options = parse(arguments)
    readings = asyncio.run(all_readings(None, options.streams, options.repetitions))
    bare = row_of(BARE, options.streams, readings)
    said = {reading.text for reading in readings}
    rows: list[Row] = []
    idle: list[IdleRow] = []
    missing: list[Unavailable] = []
    with tempfile.TemporaryDirectory() as folder:
        places = Path(folder), options.peers_home
        for name in (*options.servers, *options.peers):
            try:
                with running_server(name, "paced", *places) as server:
                    rows.append(asyncio.run(measure(name, server, bare, said, options.repetitions)))
                with running_server(name, "silent", *places) as server:
                    idle.append(asyncio.run(hold(name, server, options.idle, options.idle_seconds)))
            except (PeerUnavailableError, BrokenAnswerError) as error:
                missing.append(Unavailable(name, str(error)))
                print(f"not measured: {error}")
    for table in ([bare, *rows], idle):
        print(table_of([asdict(row) for row in table]), end="\n\n")
    print(*ratios_of(rows, idle), sep="\n")
    write(
        [bare, *rows],
        options,
        idle=[asdict(row) for row in idle],
        unavailable=[asdict(entry) for entry in missing],
        tokens_per_s_of_a_stream=TOKENS_PER_S,
        repetitions=options.repetitions,
    )


if __name__ == "__main__":
    main()
