"""The catalogue of intents: what can be asked, in which words, and what the right answer is.

Everything a demo model is taught lies in the TOML files under `data/`: one table per intent with

    weight          how often it is drawn, relative to the others of its language
    columns, rows   its facts; or `facts`, the name of a computed table; or `like`, another
                    intent of the same language whose facts it shares
    ask, answer     phrasings with the columns as slots; `{Thing}` is `{thing}` with a capital
    follow          shorter phrasings that only make sense right after the same intent
    opening_ask, opening_answer   an exchange that has to come before the question
    is_first        only asked at the start of a dialogue
"""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Any, TypeAlias

from training.corpus.dialogues.computed import COMPUTED_TABLES
from training.corpus.dialogues.stable import stable_number

DATA_DIR = Path(__file__).parent / "data"

Fact: TypeAlias = Mapping[str, str]


class Language(StrEnum):
    """The languages the demo models speak."""

    ENGLISH = "en"
    CHINESE = "zh"


@dataclass(frozen=True, slots=True)
class Intent:
    """One kind of question: its facts, its phrasings and its answers."""

    name: str
    language: Language
    weight: float
    facts: tuple[Fact, ...]
    ask: tuple[str, ...]
    answer: tuple[str, ...]
    follow: tuple[str, ...] = ()
    opening_ask: tuple[str, ...] = ()
    opening_answer: tuple[str, ...] = ()
    is_first: bool = False

    def held_out(self, fact: Fact, phrasings: Sequence[str]) -> str:
        """Return the one phrasing this fact is never trained with, only examined with."""
        key = "|".join((self.name, self.language, *fact.values(), str(len(phrasings))))
        return phrasings[stable_number(key) % len(phrasings)]

    def trained(self, fact: Fact, phrasings: Sequence[str]) -> list[str]:
        """Return the phrasings this fact may be trained with."""
        kept_back = self.held_out(fact, phrasings)
        return [phrasing for phrasing in phrasings if phrasing != kept_back]

    def answers(self, fact: Fact) -> list[str]:
        """Return every answer that is right for this fact."""
        return [fill(template, fact) for template in self.answer]


def fill(template: str, fact: Fact) -> str:
    """Put a fact into a phrasing; the first letter becomes a capital."""
    capitals = {name.capitalize(): _capitalised(value) for name, value in fact.items()}
    return _capitalised(template.format_map({**capitals, **fact}))


def _capitalised(text: str) -> str:
    return text[:1].upper() + text[1:]


@cache
def catalogue(language: Language) -> tuple[Intent, ...]:
    """Return all intents of a language, in the order of the files.

    Raises:
        KeyError: a table names a computed table, snippet or intent that does not exist.
        ValueError: an intent has too few phrasings to hold one back.
    """
    tables: dict[str, dict[str, Any]] = {}
    for path in sorted((DATA_DIR / language).glob("*.toml")):
        tables |= tomllib.loads(path.read_text(encoding="utf-8"))
    return tuple(_read_intent(name, language, tables) for name in tables)


def _read_intent(name: str, language: Language, tables: Mapping[str, dict[str, Any]]) -> Intent:
    table = tables[name]
    for key in ("ask", "follow"):
        if len(table.get(key, ("", ""))) < 2:
            raise ValueError(f"intent {language}/{name} needs at least two phrasings in {key!r}")
    return Intent(
        name=name,
        language=language,
        weight=float(table["weight"]),
        facts=tuple(_read_facts(table, tables)),
        ask=tuple(table["ask"]),
        answer=tuple(table["answer"]),
        follow=tuple(table.get("follow", ())),
        opening_ask=tuple(table.get("opening_ask", ())),
        opening_answer=tuple(table.get("opening_answer", ())),
        is_first=bool(table.get("is_first", False)),
    )


def _read_facts(table: Mapping[str, Any], tables: Mapping[str, dict[str, Any]]) -> list[Fact]:
    if "like" in table:
        return _read_facts(tables[table["like"]], tables)
    if "facts" in table:
        return list(COMPUTED_TABLES[table["facts"]]())
    facts = [dict(zip(table["columns"], row, strict=True)) for row in table["rows"]]
    for fact in facts:
        if "snippet" in fact:
            fact["code"] = _snippets()[fact.pop("snippet")]
    return list(facts)


@cache
def _snippets() -> dict[str, str]:
    return tomllib.loads((DATA_DIR / "snippets.toml").read_text(encoding="utf-8"))
