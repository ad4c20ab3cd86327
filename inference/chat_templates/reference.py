"""Writes docs/reference/models.md: the table of families, made of the data that is used.

`python -m inference.chat_templates.reference > docs/reference/models.md`
"""

import hashlib
import json
import sys
import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import cache

from inference.chat_templates.families import (
    FOLDER,
    ChatTemplate,
    families,
)
from inference.chat_templates.rendering import render_family
from inference.messages import Message, Role

TURNS = (
    Message(Role.USER, "Hello!"),
    Message(Role.ASSISTANT, "Hi!"),
    Message(Role.USER, "How are you?"),
)
"""The conversation whose renderings were recorded."""

COLUMNS = (
    "family",
    "layout",
    "roles",
    "default system message",
    "ends an answer",
    "models named",
    "tested",
    "source",
)


def reference_page() -> str:
    """Return the page in Markdown."""
    known = families().values()
    rows = [COLUMNS, ["---"] * len(COLUMNS), *(_row(family) for family in known)]
    sketches = [[f"`{name}`", _code(sketch)] for name, sketch in _sketches(known)]
    page = (FOLDER / "models_page.md").read_text(encoding="utf-8")
    parts = {
        "{summary}": _summary(known),
        "{families}": _table(rows),
        "{layouts}": _table([["layout", "writes"], ["---"] * 2, *sketches]),
    }
    for mark, part in parts.items():
        page = page.replace(mark, part)
    return page


def agreement(family: ChatTemplate, name: str) -> str:
    """Return how much of what FastChat writes under a name a family writes too.

    One of `whole`, `layout`, `no text` and `text`, or `differs`, which no page should show.
    """
    recorded = recorded_digests().get(name)
    if recorded is None:
        return "text"
    if not family.layout:
        return "no text" if not any(recorded.values()) else "differs"
    written = {
        "system": render_family(family, [Message(Role.SYSTEM, "S"), *TURNS]),
        "empty": render_family(family, [Message(Role.SYSTEM, ""), *TURNS]),
        "default": render_family(family, TURNS),
    }
    same = {key for key, text in written.items() if digest(text) == recorded[key]}
    if same == set(written):
        return "whole"
    return "layout" if same == {"system", "empty"} else "differs"


def digest(text: str) -> str:
    """Return the first 12 hexadecimal digits of a text's SHA-256."""
    return hashlib.sha256(text.encode()).hexdigest()[:12]


@cache
def recorded_digests() -> dict[str, dict[str, str]]:
    """Return the digests of what FastChat writes, by conversation; "" where it refuses."""
    with (FOLDER / "recorded.toml").open("rb") as file:
        return tomllib.load(file)


def _summary(known: Iterable[ChatTemplate]) -> str:
    """Count what agrees."""
    by_name = {name: family for family in known for name in (family.name, *family.aliases)}
    found = [agreement(by_name[name], name) for name in recorded_digests()]
    return (
        f"Of {len(found)} conversations {found.count('whole')} are equal as a whole,"
        f" {found.count('layout')} in their layout, {found.count('no text')} is refused by both."
    )


def _table(rows: Iterable[Sequence[str]]) -> str:
    """Rows of cells in Markdown."""
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _row(family: ChatTemplate) -> list[str]:
    """One family as the cells of its row."""
    names = "<br>".join([f"**{family.name}**", *family.aliases])
    ends = [_code(text) for text in family.stop]
    ends += [str(token) for token in family.stop_token_ids]
    agreements = [agreement(family, name) for name in (family.name, *family.aliases)]
    return [
        names,
        f"`{family.layout}`" if family.layout else "none",
        " / ".join(_code(role) for role in family.roles),
        _shorten(family.system_message),
        ", ".join(ends),
        ", ".join(f"`{pattern}`" for pattern in family.patterns),
        "<br>".join(agreements),
        _link(family.source),
    ]


def _sketches(known: Iterable[ChatTemplate]) -> list[tuple[str, str]]:
    """Each shared layout by name with a conversation as its first family writes it."""
    turns = [Message(Role.USER, "U"), Message(Role.ASSISTANT, "A"), Message(Role.USER, "U")]
    sketches = {}
    for family in known:
        plain = replace(family, few_shot=())
        if family.layout and family.layout not in sketches:
            sketches[family.layout] = render_family(plain, [Message(Role.SYSTEM, "S"), *turns])
    return sorted(sketches.items())


def _code(text: str) -> str:
    """A text as code, its line breaks shown; nothing for an empty one."""
    shown = _escaped(json.dumps(text, ensure_ascii=False)[1:-1])
    return f"<code>{shown}</code>" if text else ""


def _shorten(text: str, longest: int = 120) -> str:
    """The beginning of a message, for a table's cell."""
    return _escaped(text if len(text) <= longest else f"{text[:longest].rstrip()} …")


def _escaped(text: str) -> str:
    """Without what Markdown or HTML would read as a sign."""
    signs = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "|": "&#124;", "\n": "⏎", "*": "&#42;"}
    return "".join(signs.get(letter, letter) for letter in text)


def _link(source: str) -> str:
    """A model card or an address as a link."""
    if not source:
        return ""
    if source.startswith("https://"):
        return f"[documentation]({source})"
    return f"[{source}](https://huggingface.co/{source})"


if __name__ == "__main__":
    sys.stdout.write(reference_page())
