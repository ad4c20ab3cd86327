"""The rows of the engine's benchmark: medians, ratios to peers, and what an earlier report had."""

import json
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from transformers import AutoConfig

from benchmarks.bandwidth import bytes_per_step
from benchmarks.engine_options import DTYPES
from benchmarks.peers.catalog import OURS, PEERS
from benchmarks.peers.job import Job, Measurement


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the result: medians over the repetitions.

    Attributes:
        engine: what was measured.
        model: which shape.
        dtype: precision of the weights.
        streams: answers at once; an engine that is serial got one, as more cost it the same.
        tokens_per_s: new tokens in a second of the clock, all streams together.
        tokens_per_cpu_s: new tokens in a second of CPU time.
        first_token_s: from submission to a stream's first token, all submitted at once.
        step_ms: clock time in which every stream gets its next token.
        read_gb_per_s: what a step cannot avoid reading, in that time.
        bandwidth_share: `read_gb_per_s` over what memory gives.
    """

    engine: str
    model: str
    dtype: str
    streams: int
    tokens_per_s: float
    tokens_per_cpu_s: float
    first_token_s: float
    step_ms: float
    read_gb_per_s: float
    bandwidth_share: float = 0.0


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


def row_of(
    engine: str,
    model: str,
    job: Job,
    streams: int,
    runs: Sequence[Measurement],
) -> Row:
    """Put the repetitions of one measurement together; `with_shares` fills the last field."""

    def median(values: Iterable[float]) -> float:
        return statistics.median(values)

    step_s = median(run.step_s for run in runs)
    read_bytes = bytes_per_step(
        AutoConfig.from_pretrained(job.folder),
        job.dtype,
        streams=runs[0].streams,  # one at a time where the engine is serial
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
        read_bytes / step_s / 1e9,
    )


def with_shares(rows: Sequence[Row], bandwidth: float) -> list[Row]:
    """Relate all rows to a bandwidth in bytes a second."""
    return [replace(row, bandwidth_share=row.read_gb_per_s * 1e9 / bandwidth) for row in rows]


def ratios_of(rows: Sequence[Row]) -> list[Ratio]:
    """Compare each of our rows with every peer's of the same setting."""

    def setting(row: Row) -> tuple[str, str, int]:
        return row.model, row.dtype, row.streams

    return [
        Ratio(
            *setting(ours),
            peer.engine,
            ours.tokens_per_cpu_s / peer.tokens_per_cpu_s,
            ours.tokens_per_s / peer.tokens_per_s,
            peer.first_token_s / ours.first_token_s,
        )
        for ours in rows
        for peer in rows
        if ours.engine == OURS != peer.engine and setting(peer) == setting(ours)
    ]


def records_of(rows: Iterable[Row | Ratio | Unavailable]) -> list[dict[str, Any]]:
    """Return rows as plain data."""
    return [asdict(row) for row in rows]


def earlier_rows(file: Path | None) -> list[Row]:
    """Return the rows of an earlier report."""
    if file is None:
        return []
    return [Row(**row) for row in json.loads(file.read_text(encoding="utf-8"))["rows"]]


def merged(earlier: Sequence[Row], measured: Sequence[Row]) -> list[Row]:
    """Put two reports together; what was measured again counts.

    Ordered by model, precision, engine (ours first) and streams.
    """
    by_place = {
        (row.model, DTYPES.index(row.dtype), list(PEERS).index(row.engine), row.streams): row
        for row in (*earlier, *measured)
    }
    return [by_place[place] for place in sorted(by_place)]
