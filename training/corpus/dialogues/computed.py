"""Facts that are counted out rather than written down: sums, counting, lists, made-up names."""

import random
import tomllib
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any, TypeAlias

DATA_DIR = Path(__file__).parent / "data"
LARGEST_OPERAND = 12
MADE_UP_NAMES = 800
MADE_UP_NOISE = 400
MADE_UP_QUESTIONS = 4000
CHINESE_DIGITS = "零一二三四五六七八九"
ENGLISH_NUMBERS = {3: "three", 4: "four", 5: "five"}

Row: TypeAlias = dict[str, str]


def sums() -> Iterator[Row]:
    """Yield a + b = c for every a and b up to twelve."""
    for a in range(LARGEST_OPERAND + 1):
        for b in range(LARGEST_OPERAND + 1):
            yield {"a": str(a), "b": str(b), "c": str(a + b)}


def differences() -> Iterator[Row]:
    """Yield a - b = c for every a up to twelve and every b up to a."""
    for a in range(LARGEST_OPERAND + 1):
        for b in range(a + 1):
            yield {"a": str(a), "b": str(b), "c": str(a - b)}


def products() -> Iterator[Row]:
    """Yield a * b = c, the twelve times table."""
    for a in range(LARGEST_OPERAND + 1):
        for b in range(LARGEST_OPERAND + 1):
            yield {"a": str(a), "b": str(b), "c": str(a * b)}


def chinese_sums() -> Iterator[Row]:
    """Yield sums up to ten in Chinese numerals, with the digits to reason in."""
    for m in range(1, 11):
        for n in range(1, 11):
            yield {
                "a": chinese_number(m),
                "b": chinese_number(n),
                "c": chinese_number(m + n),
                "m": str(m),
                "n": str(n),
                "s": str(m + n),
            }


def chinese_number(number: int) -> str:
    """Write a number from 0 to 99 in Chinese numerals: 15 is 十五, 20 is 二十."""
    tens, ones = divmod(number, 10)
    if tens == 0:
        return CHINESE_DIGITS[ones]
    head = "十" if tens == 1 else CHINESE_DIGITS[tens] + "十"
    return head + (CHINESE_DIGITS[ones] if ones else "")


def large_sums() -> Iterator[Row]:
    """Yield questions whose numbers lie outside the tables."""
    chance = random.Random("large sums")
    for _ in range(600):
        large = chance.choice([chance.randint(13, 99), chance.randint(100, 9999)])
        other = chance.choice([chance.randint(0, 99), chance.randint(0, 9999)])
        a, b = chance.sample([large, other], 2)
        yield {"a": str(a), "b": str(b), "sign": chance.choice("+-*")}


def counts() -> Iterator[Row]:
    """Yield counting upwards from a to b, at least three and at most eleven numbers."""
    for a in range(11):
        for b in range(a + 2, min(a + 10, 20) + 1):
            yield {"a": str(a), "b": str(b), "numbers": _joined(range(a, b + 1))}


def countdowns() -> Iterator[Row]:
    """Yield counting down to zero."""
    for a in range(3, 13):
        yield {"a": str(a), "numbers": _joined(range(a, -1, -1))}


def _joined(numbers: range) -> str:
    return ", ".join(map(str, numbers))


def english_lists() -> Iterator[Row]:
    """Yield the first three, four or five of each English series."""
    for series in _data("series.toml")["en"]:
        for count, word in ENGLISH_NUMBERS.items():
            for number in (word, str(count)):
                yield {
                    "number": number,
                    "things": series["things"],
                    "items": _numbered(series["items"][:count]),
                }


def chinese_lists() -> Iterator[Row]:
    """Yield the first three, four or five of each Chinese series."""
    for series in _data("series.toml")["zh"]:
        for count in ENGLISH_NUMBERS:
            for number in (chinese_number(count), str(count)):
                yield {
                    "number": number,
                    "measure": series["measure"],
                    "things": series["things"],
                    "items": _numbered(series["items"][:count]),
                }


def _numbered(items: list[str]) -> str:
    return "\n".join(f"{place}. {item}" for place, item in enumerate(items, start=1))


def english_names() -> Iterator[Row]:
    """Yield common names and made-up ones: copying a name is learned from many names."""
    names = _data("names.toml")
    chance = random.Random("english names")
    for name in names["english"]:
        yield {"name": name}
    for _ in range(MADE_UP_NAMES):
        syllables = chance.choices(names["english_syllables"], k=chance.randint(2, 3))
        yield {"name": "".join(syllables).capitalize()}


def chinese_names() -> Iterator[Row]:
    """Yield common Chinese names and made-up ones of a surname and one or two characters."""
    names = _data("names.toml")
    chance = random.Random("chinese names")
    for name in names["chinese"]:
        yield {"name": name}
    for _ in range(MADE_UP_NAMES):
        given = "".join(chance.choices(names["chinese_given"], k=chance.randint(1, 2)))
        yield {"name": chance.choice(names["chinese_surnames"]) + given}


def gibberish() -> Iterator[Row]:
    """Yield made-up words that mean nothing."""
    syllables = _data("names.toml")["noise_syllables"]
    chance = random.Random("gibberish")
    for _ in range(MADE_UP_NOISE):
        words = ["".join(chance.choices(syllables, k=chance.randint(1, 3))) for _ in range(4)]
        yield {"noise": " ".join(words[: chance.randint(1, 4)])}


def chinese_gibberish() -> Iterator[Row]:
    """Yield rows of Chinese characters that mean nothing."""
    characters = _data("names.toml")["noise_characters"]
    chance = random.Random("chinese gibberish")
    for _ in range(MADE_UP_NOISE):
        yield {"noise": "".join(chance.choices(characters, k=chance.randint(2, 6)))}


def odd_questions() -> Iterator[Row]:
    """Yield English questions from outside the small world, put together at random."""
    return _odd_questions("en")


def chinese_odd_questions() -> Iterator[Row]:
    """Yield Chinese questions from outside the small world, put together at random."""
    return _odd_questions("zh")


def _odd_questions(language: str) -> Iterator[Row]:
    words = dict(_data("odd.toml")[language])
    templates = words.pop("questions")
    chance = random.Random(f"odd questions {language}")
    for _ in range(MADE_UP_QUESTIONS):
        chosen = {kind: chance.choice(options) for kind, options in words.items()}
        yield {"question": chance.choice(templates).format_map(chosen)}


COMPUTED_TABLES: dict[str, Callable[[], Iterator[Row]]] = {
    table.__name__: table
    for table in (
        *(sums, differences, products, chinese_sums, large_sums, counts, countdowns),
        *(english_lists, chinese_lists, english_names, chinese_names),
        *(gibberish, chinese_gibberish, odd_questions, chinese_odd_questions),
    )
}


@cache
def _data(name: str) -> dict[str, Any]:
    return tomllib.loads((DATA_DIR / name).read_text(encoding="utf-8"))
