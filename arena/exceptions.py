"""What can go wrong in the arena.

    ArenaError
    ├── NotEnoughModelsError       a battle needs two models
    ├── BattleNotFoundError        no such battle, or not yours
    ├── BattleIncompleteError      not both sides have answered
    ├── BattleOverError            the battle has its verdict: no further turn
    ├── AlreadyVotedError          the battle has its verdict: no second one
    └── AppendOnlyError            votes are never changed or removed

`code` is stable and goes to programs; the message goes to people.
"""


class ArenaError(Exception):
    """Anything the arena refuses."""

    code = "arena_error"


class NotEnoughModelsError(ArenaError):
    """Fewer than two models can be drawn."""

    code = "not_enough_models"

    def __init__(self, available_count: int) -> None:
        super().__init__(f"a battle needs two models, {available_count} can fight at the moment")
        self.available_count = available_count


class BattleNotFoundError(ArenaError):
    """There is no such battle, or it belongs to somebody else."""

    code = "battle_not_found"

    def __init__(self) -> None:
        super().__init__("there is no such battle")


class BattleIncompleteError(ArenaError):
    """A vote needs an answer on both sides."""

    code = "battle_incomplete"

    def __init__(self) -> None:
        super().__init__("both sides must have answered before the vote")


class BattleOverError(ArenaError):
    """A battle that is voted on takes no further turn."""

    code = "battle_over"

    def __init__(self) -> None:
        super().__init__("this battle has its verdict; start a new one")


class AlreadyVotedError(ArenaError):
    """A battle takes one vote."""

    code = "already_voted"

    def __init__(self) -> None:
        super().__init__("this battle has its verdict already")


class AppendOnlyError(ArenaError):
    """Somebody tried to change or remove a stored vote."""

    code = "append_only"

    def __init__(self) -> None:
        super().__init__("votes are written once and never changed or removed")
