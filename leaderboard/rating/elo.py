"""Online Elo: ratings that move with every battle, in the order they were fought."""

from collections.abc import Iterable

from leaderboard.rating.battles import Battle, Winner

SCORE_OF_A = {Winner.A: 1.0, Winner.B: 0.0, Winner.TIE: 0.5, Winner.BOTH_BAD: 0.5}


def expected_score(
    rating: float, opponent: float, *, scale: float = 400.0, base: float = 10.0
) -> float:
    """Return the score that Elo expects of `rating` against `opponent`, in (0, 1)."""
    return float(1.0 / (1.0 + base ** ((opponent - rating) / scale)))


def fit_elo(
    battles: Iterable[Battle],
    *,
    k: float = 4.0,
    scale: float = 400.0,
    base: float = 10.0,
    initial: float = 1000.0,
) -> dict[str, float]:
    """Return each model's Elo rating after the last battle.

    The result depends on the order of the battles; a Bradley-Terry fit does not.

    Args:
        battles: in the order they were fought.
        k: the most points one battle moves.
        scale: points in which the odds grow by the factor `base`.
        base: see `scale`.
        initial: rating of a model before its first battle.

    Source:
        Elo 1978, "The Rating of Chessplayers, Past and Present", section 1.6.
    """
    ratings: dict[str, float] = {}
    for model_a, model_b, winner in battles:
        rating_a, rating_b = ratings.get(model_a, initial), ratings.get(model_b, initial)
        surprise = SCORE_OF_A[winner] - expected_score(rating_a, rating_b, scale=scale, base=base)
        ratings[model_a] = rating_a + k * surprise
        ratings[model_b] = rating_b - k * surprise
    return ratings
