"""Which texts a moderator should look at: a protocol, and a word list as its first speaker."""

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Protocol

TERMS_FILE = Path(__file__).with_name("moderation_terms.toml")


@dataclass(frozen=True, slots=True)
class Finding:
    """One reason to look at a text: its category, and what was seen."""

    category: str
    detail: str


class Moderator(Protocol):
    """Whoever can judge a text; the setting CHAT["moderator"] names one."""

    def findings(self, text: str) -> list[Finding]:
        """Return at most one finding a category."""
        ...


class TermModerator:
    """Flags texts that contain a listed term."""

    def __init__(self, terms: Mapping[str, Sequence[str]]) -> None:
        self._patterns = {category: _pattern(words) for category, words in terms.items()}

    def findings(self, text: str) -> list[Finding]:
        """Return the first listed term of each category that the text contains."""
        plain = " ".join(text.split()).casefold()
        found = ((category, pattern.search(plain)) for category, pattern in self._patterns.items())
        return [Finding(category, match.group()) for category, match in found if match]


def _pattern(terms: Sequence[str]) -> re.Pattern[str]:
    """Return one pattern for all terms; a word boundary means nothing in Chinese."""
    words = (term.casefold() for term in terms)
    branches = (rf"\b{re.escape(word)}\b" if word.isascii() else re.escape(word) for word in words)
    return re.compile("|".join(branches))


@cache
def default_moderator() -> Moderator:
    """Return the moderator with the terms of `moderation_terms.toml`."""
    table = tomllib.loads(TERMS_FILE.read_text(encoding="utf-8"))
    return TermModerator({category: entry["terms"] for category, entry in table.items()})
