"""How long a board takes, in CPU seconds: from counters, from raw votes, and by a row-wise fit.

    python -m benchmarks.leaderboard [--quick] [--json FILE]

The peer fits the same Bradley-Terry model by L-BFGS over single votes, the usual way in scripts,
with no intervals and no ranks; the board from counters includes both.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit

from leaderboard.rating.battles import Floats, Indices, PairCounts, count_outcomes
from leaderboard.rating.likelihood import laplacian
from leaderboard.rating.scoreboard import POINTS_PER_LOG_ODDS, rate

MODELS = 130
TIE_SHARE = 0.36
SEED = 7
SCORES = np.array([1.0, 0.0, 0.5, 0.5])

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Votes:
    """N simulated votes among `MODELS` models of uneven popularity."""

    names: list[str]
    side_a: Indices
    side_b: Indices
    outcome: Indices


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the result.

    Attributes:
        engine: what was measured.
        votes: votes of the board.
        models: models of the board.
        cpu_s: median CPU seconds of a run.
        error_points: largest distance from the exact ratings.
        ratio: CPU seconds of the peer over these.
    """

    engine: str
    votes: int
    models: int
    cpu_s: float
    error_points: float
    ratio: float


def simulated_votes(count: int) -> Votes:
    """Draw votes: strengths spread over 700 points, popular models ten times as frequent."""
    random = np.random.default_rng(SEED)
    strengths = random.normal(0, 0.9, MODELS)
    popularity = 1.0 / (1 + np.arange(MODELS) / 12)
    side_a = random.choice(MODELS, count, p=popularity / popularity.sum())
    side_b = random.choice(MODELS, count, p=popularity / popularity.sum())
    side_b = np.where(side_a == side_b, (side_b + 1) % MODELS, side_b)
    wins = random.random(count) < expit(strengths[side_a] - strengths[side_b])
    tied = random.random(count) < TIE_SHARE
    outcome = np.where(tied, random.integers(2, 4, count), np.where(wins, 0, 1))
    names = [f"model-{index:03d}" for index in range(MODELS)]
    return Votes(names, side_a, side_b, outcome)


def fit_by_rows(votes: Votes) -> Floats:
    """Return strengths by L-BFGS over single votes with its default tolerances, mean 0, [M]."""
    scores = SCORES[votes.outcome]

    def loss(strengths: Floats) -> tuple[float, Floats]:
        gap = strengths[votes.side_a] - strengths[votes.side_b]
        surprise = expit(gap) - scores
        gradient: Floats = np.zeros(MODELS)
        gradient += np.bincount(votes.side_a, surprise, MODELS)
        gradient -= np.bincount(votes.side_b, surprise, MODELS)
        return float((np.logaddexp(0, gap) - scores * gap).sum()), gradient

    fit = minimize(loss, np.zeros(MODELS), jac=True, method="L-BFGS-B", options={"maxiter": 100})
    strengths: Floats = fit.x - fit.x.mean()
    return strengths


def exact_strengths(counts: PairCounts, strengths: Floats) -> Floats:
    """Return strengths after one more Newton step whose gradient is summed in extended precision.

    So close to the optimum the step is the distance to it, whoever found the starting point.
    """
    gap = strengths[counts.first] - strengths[counts.second]
    chance = 1 / (1 + np.exp(-gap.astype(np.longdouble)))
    surprise = counts.first_scores - counts.battles * chance
    gradient = np.zeros(MODELS, dtype=np.longdouble)
    np.add.at(gradient, counts.first, surprise)
    np.subtract.at(gradient, counts.second, surprise)
    weights = (counts.battles * chance * (1 - chance)).astype(np.float64)
    information = laplacian(counts.first, counts.second, weights, MODELS)
    exact: Floats = strengths + np.linalg.pinv(information) @ gradient.astype(np.float64)
    return exact


def cpu_seconds(work: Callable[[], Result], *, runs: int) -> tuple[float, Result]:
    """Return the median CPU time of some runs and the last result."""
    times = []
    for _ in range(runs):
        start = time.process_time()
        result = work()
        times.append(time.process_time() - start)
    return statistics.median(times), result


def measure(count: int) -> list[Row]:
    """Measure a board of `count` votes in three ways."""
    votes = simulated_votes(count)

    def counted() -> PairCounts:
        return count_outcomes(votes.names, votes.side_a, votes.side_b, votes.outcome)

    counts = counted()
    from_counters_s, board = cpu_seconds(lambda: rate(counts), runs=9)
    from_votes_s, _ = cpu_seconds(lambda: rate(counted()), runs=5)
    by_rows_s, fitted = cpu_seconds(lambda: fit_by_rows(votes), runs=1 if count > 500_000 else 3)
    exact = exact_strengths(board.counts, board.strengths)
    place = {name: index for index, name in enumerate(votes.names)}
    by_rows = fitted[[place[name] for name in board.counts.models]]
    error = POINTS_PER_LOG_ODDS * float(np.abs(board.strengths - exact).max())
    peer_error = POINTS_PER_LOG_ODDS * float(np.abs(by_rows - exact).max())
    return [
        Row(
            "board from counters",
            count,
            MODELS,
            from_counters_s,
            error,
            by_rows_s / from_counters_s,
        ),
        Row("board from raw votes", count, MODELS, from_votes_s, error, by_rows_s / from_votes_s),
        Row("row-wise L-BFGS, ratings only", count, MODELS, by_rows_s, peer_error, 1.0),
    ]


def main() -> None:
    """Measure, print a table and write JSON if asked for."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--quick", action="store_true", help="only 100,000 votes")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the rows to a file")
    options = parser.parse_args()
    sizes = [100_000] if options.quick else [100_000, 500_000, 2_000_000]
    rows = [row for size in sizes for row in measure(size)]
    print(f"{'engine':32} {'votes':>10} {'CPU s':>9} {'error':>9} {'ratio':>8}")
    for row in rows:
        numbers = f"{row.votes:10,} {row.cpu_s:9.4f} {row.error_points:9.1e} {row.ratio:7.1f}x"
        print(f"{row.engine:32} {numbers}")
    if options.json:
        document = {"rows": [asdict(row) for row in rows]}
        options.json.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
