"""Keep what people write from being read as the template's own signs."""

import re
from collections.abc import Iterable
from typing import Any

ZERO_WIDTH_SPACE = "\N{ZERO WIDTH SPACE}"


def defuse(text: str, special_tokens: Iterable[str]) -> str:
    """Return the text with every special token in it broken by an invisible character.

    A user who writes `<|im_end|>` or `</s>` would otherwise end his own turn and could speak as
    the system. People see the same text; the tokenizer no longer sees the token.
    """
    tokens = sorted((token for token in special_tokens if len(token) > 1), key=len, reverse=True)
    if not any(token in text for token in tokens):
        return text
    pattern = re.compile("|".join(re.escape(token) for token in tokens))
    # One special token may hold another ("<<s>"): go on until none is left.
    while pattern.search(text):
        text = pattern.sub(lambda found: found[0][0] + ZERO_WIDTH_SPACE + found[0][1:], text)
    return text


def defuse_all(value: Any, special_tokens: Iterable[str]) -> Any:
    """Return JSON data with every text in it defused, keys too."""
    tokens = tuple(special_tokens)
    match value:
        case str():
            return defuse(value, tokens)
        case list():
            return [defuse_all(entry, tokens) for entry in value]
        case dict():
            return {defuse(key, tokens): defuse_all(entry, tokens) for key, entry in value.items()}
        case _:
            return value
