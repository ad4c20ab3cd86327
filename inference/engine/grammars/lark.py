"""Grammars written out in llguidance's dialect of Lark.

Source: llguidance, docs/syntax.md (https://github.com/guidance-ai/llguidance).
"""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

PLAIN_SPACES: Any = {
    "whitespace_flexible": False,
    "item_separator": ", ",
    "key_separator": ": ",
}
"""JSON as most of it is written. Free white space lets a lost model write it for ever."""


def choice_lark(choices: Sequence[str]) -> str:
    """Return the grammar of one text out of several."""
    return f"start: {' | '.join(map(json.dumps, choices))}\n"


def calls_lark(grammar: Mapping[str, Any], special_tokens: Mapping[str, int]) -> str:
    """Return the grammar of one or more calls of functions.

    Args:
        grammar: of the type "calls"; see `inference.grammars`.
        special_tokens: id by text; in what stands around a call they are tokens, not letters.
    """
    begin = _literals(grammar["begin"], special_tokens)
    end = _literals(grammar["end"], special_tokens)
    separator = _literals(grammar["separator"], special_tokens)
    functions = grammar["functions"]
    more = int(grammar.get("most", 1)) - 1
    rules = [f"start: call {f'({separator} call){{0,{more}}}' if more else ''}".rstrip()]
    options = " | ".join(f"f{index}" for index in range(len(functions)))
    rules.append(f"call: {begin} ({options}) {end}")
    for index, function in enumerate(functions):
        opening = (
            f"{{{json.dumps(grammar['name_key'])}: {json.dumps(function['name'])},"
            f" {json.dumps(grammar['arguments_key'])}: "
        )
        rules.append(f'f{index}: {json.dumps(opening)} a{index} "}}"')
        schema = {"type": "object", **function["parameters"], "x-guidance": PLAIN_SPACES}
        rules.append(f"a{index}: %json {json.dumps(schema)}")
    return "\n".join(rules) + "\n"


def _literals(text: str, special_tokens: Mapping[str, int]) -> str:
    """Return a text as Lark literals, special tokens in it by their ids."""
    if not text:
        return ""
    known = [token for token in special_tokens if token and token in text]
    if not known:
        return json.dumps(text)
    pattern = "|".join(re.escape(token) for token in sorted(known, key=len, reverse=True))
    parts = re.split(f"({pattern})", text)
    return " ".join(
        f"<[{special_tokens[part]}]>" if part in special_tokens else json.dumps(part)
        for part in parts
        if part
    )
