"""Print a board."""

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from leaderboard.categories import Board
from leaderboard.selectors import BoardView, board_as_data, board_named


class Command(BaseCommand):
    """Prints the ratings of a board as a table or as JSON."""

    help = (
        "Print a board as it stands: rank interval, model, rating, 95% interval and votes;"
        ' --json prints {"board", "models": [{"model", "rating", "lower", "upper", "rank", "votes",'
        " …}]} and nothing else."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take the board and the shape."""
        parser.epilog = "Example: manage.py show_leaderboard --board chinese --json"
        boards = [board.value for board in Board]
        parser.add_argument("--board", choices=boards, default=Board.OVERALL.value)
        parser.add_argument("--json", action="store_true", help="print JSON for programs")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Print the board."""
        board = board_named(Board(options["board"]))
        if options["json"]:
            self.stdout.write(json.dumps(board_as_data(board), ensure_ascii=False))
            return
        if not board.rows:
            self.stdout.write(f"The board {board.name.value} has no votes yet.")
            return
        for line in _table(board):
            self.stdout.write(line)


def _table(board: BoardView) -> list[str]:
    """Return the lines of the table."""
    width = max(len(row.rating.model) for row in board.rows)
    lines = [f"{'rank':>9}  {'model':{width}}  {'rating':>6}  {'95% interval':>13}  {'votes':>8}"]
    for row in board.rows:
        rating = row.rating
        ranks = f"{rating.best_rank}-{rating.worst_rank}"
        ends = f"{_end(rating.lower)} … {_end(rating.upper)}"
        points = f"{rating.rating:6.0f}  {ends:>13}"
        lines.append(f"{ranks:>9}  {rating.model:{width}}  {points}  {rating.votes:8}")
    return lines


def _end(points: float | None) -> str:
    """Return an end of an interval; an open one is a dash."""
    return "–" if points is None else f"{points:.0f}"
