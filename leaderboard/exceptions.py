"""What can go wrong with boards and files of battles.

LeaderboardError
├── UnknownBoardError      no board has this name
├── ImmutableSnapshotError somebody tried to change a published snapshot
├── EmptyBoardError        a board without votes has nothing to publish
├── BattleFileError        a file of battles cannot be read; the line is named
└── BattleRowsError        a file has rows that are no battles, all named
"""

from collections.abc import Sequence


class LeaderboardError(Exception):
    """Anything the leaderboard refuses."""


class UnknownBoardError(LeaderboardError):
    """No board has this name."""

    def __init__(self, name: str) -> None:
        super().__init__(f"there is no board {name[:40]!r}")
        self.name = name


class ImmutableSnapshotError(LeaderboardError):
    """Somebody tried to change or remove a published snapshot."""

    def __init__(self) -> None:
        super().__init__("a snapshot is written once and never changed or removed")


class EmptyBoardError(LeaderboardError):
    """A board without votes has nothing to publish."""

    def __init__(self, board: str) -> None:
        super().__init__(f"the board {board!r} has no votes yet")


class BattleFileError(LeaderboardError):
    """A file of battles cannot be read."""

    def __init__(self, message: str, *, line: int | None = None) -> None:
        super().__init__(message if line is None else f"line {line}: {message}")
        self.line = line


class BattleRowsError(LeaderboardError):
    """A file has rows that are no battles."""

    def __init__(self, rows: Sequence[BattleFileError]) -> None:
        super().__init__(f"{len(rows)} rows are no battles; nothing was imported")
        self.rows = tuple(rows)
