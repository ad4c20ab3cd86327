"""The rows of the API's benchmark, and the ratios between servers."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.api_script import Reading
from inference.providers.scripted import split_tokens

MS = 1000.0


@dataclass(frozen=True, slots=True)
class Row:
    """One server, or the bare script, with all streams running.

    Attributes:
        first_p50_ms, first_p95_ms: waits for the first piece of text, percentiles.
        gap_p50_ms, gap_p95_ms: waits between pieces.
        added_…: the same, less those of the bare script.
        web_cpu_us: CPU time of the web process for one token.
        all_cpu_us: that of all processes behind the address.
    """

    server: str
    streams: int
    tokens_per_s: float
    first_p50_ms: float
    first_p95_ms: float
    gap_p50_ms: float
    gap_p95_ms: float
    added_first_p50_ms: float = 0.0
    added_first_p95_ms: float = 0.0
    added_gap_p50_ms: float = 0.0
    added_gap_p95_ms: float = 0.0
    web_cpu_us: float = 0.0
    all_cpu_us: float = 0.0


WAITS = ("first_p50_ms", "first_p95_ms", "gap_p50_ms", "gap_p95_ms")


@dataclass(frozen=True, slots=True)
class IdleRow:
    """One server that holds streams in which nothing is said.

    Attributes:
        before_mb, after_mb: resident memory of the web process without and with them.
        kb_a_stream: the difference, for one of them.
        cpu_share: part of a core that the web process uses while they are open.
        comments: keep-alive comments that came meanwhile.
        lost: streams that the server ended.
    """

    server: str
    idle_streams: int
    before_mb: float
    after_mb: float
    kb_a_stream: float
    cpu_share: float
    comments: int
    lost: int


@dataclass(frozen=True, slots=True)
class Unavailable:
    """A server that was not measured."""

    server: str
    reason: str


def row_of(
    server: str,
    streams: int,
    readings: Sequence[Reading],
    *,
    cpu_s: tuple[float, float] = (0.0, 0.0),
    bare: Row | None = None,
) -> Row:
    """Sum up what all readers of a server saw.

    Args:
        server: its name.
        streams: how many readers there were.
        readings: their answers, of two pieces or more.
        cpu_s: CPU time it took the web process, and all processes.
        bare: what came without a server.
    """
    tokens = sum(len(split_tokens(reading.text)) for reading in readings)
    start_s = min(reading.start_s for reading in readings)
    took_s = max(reading.times_s[-1] for reading in readings) - start_s
    firsts = percentiles([reading.first_s for reading in readings])
    gaps = percentiles([gap_s for reading in readings for gap_s in reading.gaps_s])
    waits = dict(zip(WAITS, (*firsts, *gaps), strict=True))
    added = {f"added_{name}": waits[name] - getattr(bare, name) for name in WAITS if bare}
    web_us, all_us = (used_s / tokens * 1e6 for used_s in cpu_s)
    return Row(
        server, streams, tokens / took_s, **waits, **added, web_cpu_us=web_us, all_cpu_us=all_us
    )


def percentiles(values: Sequence[float]) -> tuple[float, float]:
    """Return the 50th and the 95th percentile of one or more times, from seconds to ms."""
    middle_s, late_s = np.percentile(values, [50, 95])
    return float(middle_s) * MS, float(late_s) * MS


def ratios_of(rows: Sequence[Row], idle: Sequence[IdleRow]) -> Iterator[str]:
    """Yield a line for each server after the first: its costs in units of the first one's."""
    for other in rows[1:]:
        first = rows[0]
        yield (
            f"{other.server}: {other.web_cpu_us / first.web_cpu_us:.1f}x the CPU time of"
            f" {first.server} for a token in the web process,"
            f" {other.all_cpu_us / first.all_cpu_us:.1f}x in all,"
            f" {other.first_p50_ms / first.first_p50_ms:.1f}x the wait for the first"
        )
    for row in idle[1:]:
        yield f"{row.server}: {row.kb_a_stream / idle[0].kb_a_stream:.1f}x the memory of a stream"
