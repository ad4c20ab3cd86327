"""Reads of the leaderboard: a board as it stands now, or as it was published."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

import numpy as np

from inference.models import LanguageModel
from leaderboard.categories import Board
from leaderboard.exceptions import UnknownBoardError
from leaderboard.models import BoardState, PairCount
from leaderboard.rating.battles import PairCounts
from leaderboard.rating.scoreboard import Rating, Scoreboard, rate


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a board: a rating and the card of its model."""

    rating: Rating
    card: LanguageModel


@dataclass(frozen=True, slots=True)
class BoardView:
    """A board as it stands.

    Attributes:
        name: which board.
        scoreboard: ratings, strengths and counts.
        rows: its lines with cards, best first.
        changed_at: when its last vote came; None before the first.
    """

    name: Board
    scoreboard: Scoreboard
    rows: tuple[Row, ...]
    changed_at: datetime | None


def parse_board(name: str) -> Board:
    """Return the board of this name.

    Raises:
        UnknownBoardError: there is none.
    """
    try:
        return Board(name)
    except ValueError:
        raise UnknownBoardError(name) from None


def board_named(name: Board) -> BoardView:
    """Return a board as its counters stand now; computed once per change."""
    state = BoardState.objects.filter(board=name).first()
    cards = {card.pk: card for card in LanguageModel.objects.all()}
    names = tuple((key, card.name) for key, card in cards.items())
    scoreboard = _scoreboard(name, state.stamp if state else "", names)
    by_name = {card.name: card for card in cards.values()}
    return BoardView(
        name=name,
        scoreboard=scoreboard,
        rows=tuple(Row(rating, by_name[rating.model]) for rating in scoreboard.ratings),
        changed_at=state.changed_at if state else None,
    )


def board_as_data(board: BoardView) -> dict[str, Any]:
    """Return a board as plain data, the shape of the API and of `show_leaderboard --json`."""
    return {
        "board": board.name.value,
        "models": [
            {
                "model": row.rating.model,
                "rating": round(row.rating.rating, 2),
                "lower": _rounded(row.rating.lower),
                "upper": _rounded(row.rating.upper),
                "rank": [row.rating.best_rank, row.rating.worst_rank],
                "votes": row.rating.votes,
                "standing": row.rating.standing.value,
                "organisation": row.card.organisation,
                "licence": row.card.licence,
            }
            for row in board.rows
        ],
    }


def pair_counts(board: Board, names: Sequence[tuple[int, str]]) -> PairCounts:
    """Return the counters of a board for the models that have votes on it, by name.

    Args:
        board: which board.
        names: key and name of every model.
    """
    rows = np.array(
        PairCount.objects.filter(board=board).values_list(
            "model_a_id", "model_b_id", "a_wins", "b_wins", "ties", "both_bad"
        ),
        dtype=np.int64,
    ).reshape(-1, 6)
    rows = rows[rows[:, 2:].any(axis=1)]
    name_of = dict(names)
    keys = sorted({int(key) for key in rows[:, :2].ravel()}, key=lambda key: name_of[key])
    place = {key: index for index, key in enumerate(keys)}
    return PairCounts(
        models=tuple(name_of[key] for key in keys),
        first=np.array([place[key] for key in rows[:, 0].tolist()], dtype=np.intp),
        second=np.array([place[key] for key in rows[:, 1].tolist()], dtype=np.intp),
        counts=rows[:, 2:].astype(np.float64),
    )


# The stamp is part of the key only: a vote changes it, and the board is computed anew.
@lru_cache(maxsize=16)
def _scoreboard(board: Board, _stamp: str, names: tuple[tuple[int, str], ...]) -> Scoreboard:
    """Return the ratings that belong to a stamp."""
    return rate(pair_counts(board, names))


def _rounded(points: float | None) -> float | None:
    """Return points with two decimals; an open end stays None."""
    return None if points is None else round(points, 2)
