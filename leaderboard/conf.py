"""The settings of the leaderboard."""

from dataclasses import dataclass

from inference.conf import read_settings


@dataclass(frozen=True, slots=True)
class LeaderboardSettings:
    """What `LEADERBOARD` in the settings may say.

    Attributes:
        heat_map_models: models in the win-rate tables, the best ones first.
        import_max_bytes: largest file of battles that is read.
        import_max_rows: most battles in one file.
        import_batch: battles stored with one statement.
        import_max_bad_rows: bad rows after which an import gives up.
    """

    heat_map_models: int = 20
    import_max_bytes: int = 2 * 1024**3
    import_max_rows: int = 5_000_000
    import_batch: int = 1_000
    import_max_bad_rows: int = 1_000


def leaderboard_settings() -> LeaderboardSettings:
    """Return the settings as they are now.

    Raises:
        ValueError: `LEADERBOARD` has a key that means nothing.
    """
    return read_settings(LeaderboardSettings, "LEADERBOARD")
