"""The small carelessness of people who type: lower case, a mark left out, a space too many."""

import random
from collections.abc import Callable

END_MARKS = ".?!。？！"


def written_carelessly(text: str, chance: random.Random) -> str:
    """Return the text as somebody in a hurry would type it; never an empty text."""
    return chance.choice(HABITS)(text) or text


def bare(text: str) -> str:
    """Return what all careless spellings of a text have in common."""
    return text.lower().rstrip(END_MARKS + " ")


def _without_last_mark(text: str) -> str:
    return text.rstrip(END_MARKS)


def _with_space_after(text: str) -> str:
    return text + " "


HABITS: tuple[Callable[[str], str], ...] = (str.lower, _without_last_mark, bare, _with_space_after)
