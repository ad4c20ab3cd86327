"""Small hand-made lists of battles."""

from leaderboard.rating.battles import Battle, Winner

# Ten battles whose Elo and Bradley-Terry ratings are published with FastChat's own tests.
TEN_BATTLES = "A B a, B C a, A C a, C A a, B A tie, C B both_bad, A B b, B C b, A C a, B A b"


def battles(text: str) -> list[Battle]:
    """Read "A B a, B C tie": side A, side B, winner."""
    rows = (entry.split() for entry in text.split(","))
    return [Battle(model_a, model_b, Winner(winner)) for model_a, model_b, winner in rows]
