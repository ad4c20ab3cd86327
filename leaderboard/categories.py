"""Which boards a vote counts on, from the language of the battle's first prompt."""

import re
import tomllib
import unicodedata
from collections import Counter
from collections.abc import Iterable
from enum import StrEnum
from importlib import resources


class Board(StrEnum):
    """The boards of the site."""

    OVERALL = "overall"
    ENGLISH = "english"
    CHINESE = "chinese"


UNKNOWN = "unknown"
BOARD_OF_LANGUAGE = {"en": Board.ENGLISH, "zh": Board.CHINESE}

# A prompt says what it is in long before its end.
MOST_CHARS = 4000
FUNCTION_WORDS = {
    language: frozenset(words.split())
    for language, words in tomllib.loads(
        resources.files("leaderboard").joinpath("function_words.toml").read_text("utf-8")
    ).items()
}
WORD = re.compile(r"[^\W\d_]+")


def language_of(text: str) -> str:
    """Return the language of a prompt as an ISO 639-1 code, or "unknown".

    The script decides first: kana is Japanese, Hangul Korean, other Han characters Chinese once
    they make up a fifth of the letters. Latin text is the language whose function words it has
    most of; plain ASCII without any is taken for English, the usual language of short prompts.
    """
    text = text[:MOST_CHARS]
    scripts = _scripts(text)
    letters = scripts.total()
    if not letters:
        return UNKNOWN
    east_asian = {"HIRAGANA": "ja", "KATAKANA": "ja", "HANGUL": "ko", "CJK": "zh"}
    for script, language in east_asian.items():
        # A Han character says about as much as five letters.
        if scripts[script] * 5 >= letters:
            return language
    if scripts["LATIN"] * 2 < letters:
        return UNKNOWN
    return _latin_language(text)


def boards_of(language: str) -> tuple[Board, ...]:
    """Return the boards that a battle in this language counts on."""
    board = BOARD_OF_LANGUAGE.get(language)
    return (Board.OVERALL,) if board is None else (Board.OVERALL, board)


def _scripts(text: str) -> Counter[str]:
    """Count the letters of each script, by the first word of their Unicode names."""
    return Counter(
        unicodedata.name(character, "?").split()[0] for character in text if character.isalpha()
    )


def _latin_language(text: str) -> str:
    """Return the language that most function words of a Latin text belong to."""
    words = WORD.findall(text.lower())
    found = {language: _hits(words, known) for language, known in FUNCTION_WORDS.items()}
    best = max(found, key=lambda language: found[language])
    if found[best]:
        return "en" if found["en"] == found[best] else best
    return "en" if text.isascii() else UNKNOWN


def _hits(words: Iterable[str], known: frozenset[str]) -> int:
    """Count the words that are known."""
    return sum(word in known for word in words)
