"""Battles as counts: how often each pair met and how it ended.

A Bradley-Terry board depends on the votes only through these counts, so its cost does not grow
with the number of votes.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Indices = NDArray[np.intp]


class Winner(StrEnum):
    """How a battle ended, seen from the side the models stood on."""

    A = "a"
    B = "b"
    TIE = "tie"
    BOTH_BAD = "both_bad"


# The columns of `PairCounts.counts`, seen from the first model of the pair.
OUTCOMES = (Winner.A, Winner.B, Winner.TIE, Winner.BOTH_BAD)


class Battle(NamedTuple):
    """One counted verdict between two models."""

    model_a: str
    model_b: str
    winner: Winner


@dataclass(frozen=True, slots=True, eq=False)
class PairCounts:
    """How often the P pairs among M models met and how it ended.

    Attributes:
        models: the M names.
        first: index of the first model of each pair, [P].
        second: index of the second model of each pair, [P]; never equal to `first`.
        counts: battles the first won, the second won, tied, both bad, [P, 4].
    """

    models: tuple[str, ...]
    first: Indices
    second: Indices
    counts: Floats

    @property
    def battles(self) -> Floats:
        """Battles of each pair, [P]."""
        total: Floats = self.counts @ np.ones(len(OUTCOMES))
        return total

    @property
    def first_scores(self) -> Floats:
        """Wins of each pair's first model, a tie of either kind being half a win, [P]."""
        score: Floats = self.counts @ np.array([1.0, 0.0, 0.5, 0.5])
        return score

    @property
    def votes(self) -> Floats:
        """Battles of each model, [M]."""
        size = len(self.models)
        votes = np.zeros(size)
        votes += np.bincount(self.first, self.battles, size)
        votes += np.bincount(self.second, self.battles, size)
        return votes

    def among(self, members: Indices) -> "PairCounts":
        """Return the counts of the battles that the models `members` fought among themselves."""
        place = np.full(len(self.models), -1, dtype=np.intp)
        place[members] = np.arange(len(members))
        inside = (place[self.first] >= 0) & (place[self.second] >= 0)
        return PairCounts(
            models=tuple(self.models[index] for index in members),
            first=place[self.first[inside]],
            second=place[self.second[inside]],
            counts=self.counts[inside],
        )


def count_outcomes(
    models: Sequence[str], side_a: Indices, side_b: Indices, outcome: Indices
) -> PairCounts:
    """Count N battles given as index arrays.

    Args:
        models: the M names.
        side_a: index of the model on side A, [N].
        side_b: index of the model on side B, [N].
        outcome: index into `OUTCOMES`, [N].

    Raises:
        ValueError: a model meets itself.
    """
    if np.any(side_a == side_b):
        row = int(np.flatnonzero(side_a == side_b)[0])
        raise ValueError(f"battle {row} has {models[side_a[row]]!r} on both sides")
    size = len(models)
    turned = side_a > side_b
    first, second = np.where(turned, side_b, side_a), np.where(turned, side_a, side_b)
    # Seen from the other side, the first two outcomes change places.
    outcome = np.where(turned & (outcome < 2), 1 - outcome, outcome)
    cells = np.bincount((first * size + second) * 4 + outcome, minlength=size * size * 4)
    table = cells.reshape(size * size, 4)
    pairs = np.flatnonzero(table.any(axis=1))
    return PairCounts(
        models=tuple(models),
        first=(pairs // size).astype(np.intp),
        second=(pairs % size).astype(np.intp),
        counts=table[pairs].astype(np.float64),
    )


def count_battles(battles: Iterable[Battle]) -> PairCounts:
    """Count battles; the models stand in alphabetical order.

    Raises:
        ValueError: a model meets itself.
    """
    listed = list(battles)
    models = sorted({battle.model_a for battle in listed} | {battle.model_b for battle in listed})
    place = {name: index for index, name in enumerate(models)}
    column = {winner: index for index, winner in enumerate(OUTCOMES)}
    return count_outcomes(
        models,
        np.array([place[battle.model_a] for battle in listed], dtype=np.intp),
        np.array([place[battle.model_b] for battle in listed], dtype=np.intp),
        np.array([column[battle.winner] for battle in listed], dtype=np.intp),
    )
