"""The leaderboard page."""

import math
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

import numpy as np
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext_lazy as _

from leaderboard.categories import Board
from leaderboard.charts import WIDTH, axis_for, shade
from leaderboard.conf import leaderboard_settings
from leaderboard.exceptions import UnknownBoardError
from leaderboard.models import BOARD_TITLES
from leaderboard.rating.existence import Standing
from leaderboard.rating.win_rates import average_win_rates, battle_matrix, predicted_win_rates
from leaderboard.selectors import BoardView, Row, board_named, parse_board

# Column, title, what it is sorted by, whether large values come first.
COLUMNS: tuple[tuple[str, Any, Callable[[Row], Any], bool], ...] = (
    ("rank", _("Rank"), lambda row: _place(row), False),
    ("model", _("Model"), lambda row: str(row.card).casefold(), False),
    ("rating", _("Rating"), lambda row: row.rating.rating, True),
    # xgettext:no-python-format
    ("interval", _("95% interval"), lambda row: _width(row), False),
    ("votes", _("Votes"), lambda row: row.rating.votes, True),
    ("organisation", _("Organisation"), lambda row: row.card.organisation.casefold(), False),
    ("licence", _("Licence"), lambda row: row.card.licence.casefold(), False),
)
SORT_KEYS = {name: key for name, _title, key, _falling in COLUMNS}
FALLING_FIRST = {name: falling for name, _title, _key, falling in COLUMNS}


def leaderboard(request: HttpRequest) -> HttpResponse:
    """Show a board: `?board=` picks it, `?sort=` and `?order=asc|desc` arrange its lines."""
    try:
        board = board_named(parse_board(request.GET.get("board", Board.OVERALL)))
    except UnknownBoardError as error:
        raise Http404(str(error)) from error
    sort = request.GET.get("sort", "rank")
    if sort not in SORT_KEYS:
        raise Http404(f"no column {sort[:40]!r}")
    default_order = "desc" if FALLING_FIRST[sort] else "asc"
    order = request.GET.get("order", default_order)
    is_falling = order == "desc"
    context = {
        "board": board,
        "tabs": [
            {"board": name.value, "title": title, "is_current": name is board.name}
            for name, title in BOARD_TITLES.items()
        ],
        "columns": [_column(board, name, title, sort, is_falling) for name, title, *_ in COLUMNS],
    }
    if board.rows:
        context |= _lines(board, sort, is_falling=is_falling) | _win_rates(board)
    return render(request, "leaderboard/leaderboard.html", context)


def _column(
    board: BoardView, name: str, title: str, sort: str, is_falling: bool
) -> dict[str, object]:
    """Return a column's head: the link turns the order of the column that is sorted by."""
    is_sorted = name == sort
    falls_next = not is_falling if is_sorted else FALLING_FIRST[name]
    query = {"board": board.name.value, "sort": name, "order": "desc" if falls_next else "asc"}
    state = ("descending" if is_falling else "ascending") if is_sorted else ""
    return {"name": name, "title": title, "link": f"?{urlencode(query)}", "sorted": state}


def _lines(board: BoardView, sort: str, *, is_falling: bool) -> dict[str, object]:
    """Return the lines of the table with their whiskers on one axis."""
    rows = sorted(board.rows, key=SORT_KEYS[sort], reverse=is_falling)
    axis = axis_for([row.rating for row in rows])
    return {
        "lines": [{"row": row, "whisker": axis.whisker(row.rating)} for row in rows],
        "ticks": axis.ticks,
        "chart_width": WIDTH,
    }


def _win_rates(board: BoardView) -> dict[str, object]:
    """Return the win-rate map and the battles behind it, for the models at the top."""
    shown = min(len(board.rows), leaderboard_settings().heat_map_models)
    strengths = board.scoreboard.strengths
    rates = predicted_win_rates(strengths[:shown])
    averages = average_win_rates(strengths)
    met = battle_matrix(board.scoreboard.counts)[:shown, :shown]
    most_met = float(np.max(met)) or 1.0
    return {
        "matrix": [
            {
                "card": board.rows[row].card,
                "average": _percent(averages[row]),
                "cells": [
                    {
                        "is_self": row == column,
                        "opponent": board.rows[column].card,
                        "win": _percent(rates[row, column]),
                        "win_shade": shade(rates[row, column]),
                        "battles": round(met[row, column]),
                        # Counts spread over decades, so their shade goes by the square root.
                        "battles_shade": 5 + shade(math.sqrt(met[row, column] / most_met)) // 2,
                    }
                    for column in range(shown)
                ],
            }
            for row in range(shown)
        ],
    }


def _place(row: Row) -> tuple[bool, int, float]:
    """Return what the board is ordered by: full ratings first, then rank, then rating."""
    rating = row.rating
    return rating.standing is not Standing.RATED, rating.best_rank, -rating.rating


def _width(row: Row) -> float:
    """Return the width of an interval; an open one is endless."""
    lower, upper = row.rating.lower, row.rating.upper
    return math.inf if lower is None or upper is None else upper - lower


def _percent(share: float) -> int | None:
    """Return a share as a whole percentage."""
    return None if math.isnan(share) else round(100 * share)
