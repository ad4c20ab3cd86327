"""The ways in which models write calls of functions, read from `formats.toml`."""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

CANONICAL = "hermes"
"""The format of models that were taught none, of endpoints and of scripts."""


@dataclass(frozen=True, slots=True)
class ToolFormat:
    """How one kind of model writes calls: begin, head, a JSON object of arguments, end.

    Attributes:
        name: of the format.
        begin: what opens a call or a list of them; "" where a call opens the answer.
        head: what stands between `begin` and the arguments; it names the function.
        known_by: texts of a chat template that tell the format, all of them.
        unlike: texts that tell that it is another one.
        optional_begin: what may stand in front of a call that has no `begin`.
        opens_with: characters one of which must follow `begin`, blanks aside; "" for any.
        between: what stands between the calls of one `begin`; None where each has its own.
        end: what closes a call or a list of them; "" where the last brace does.
        ignored: texts around calls that say nothing.
        is_special: whether the texts are special tokens, which must be shown to be read.
        call_id_chars: length of the ids of calls that the chat template insists on; 0 for any.
        is_single: whether the chat template refuses messages with several calls.
        grammar: how a call is forced, see `inference.grammars`; None where it is forced in the
            canonical format.
    """

    name: str
    begin: str
    head: re.Pattern[str]
    known_by: tuple[str, ...]
    unlike: tuple[str, ...] = ()
    optional_begin: str = ""
    opens_with: str = ""
    between: re.Pattern[str] | None = None
    end: str = ""
    ignored: tuple[str, ...] = ()
    is_special: bool = False
    call_id_chars: int = 0
    is_single: bool = False
    grammar: Mapping[str, str] | None = field(default=None, hash=False)

    @property
    def markers(self) -> tuple[str, ...]:
        """The texts that are never part of what a model says to people."""
        return tuple(mark for mark in (self.begin, self.optional_begin, *self.ignored) if mark)

    def fits(self, template: str) -> bool:
        """Tell whether a chat template teaches this format."""
        has_all = all(text in template for text in self.known_by)
        return has_all and not any(text in template for text in self.unlike)


@cache
def tool_formats() -> dict[str, ToolFormat]:
    """Return all formats by name, in the order in which they are recognised."""
    path = Path(__file__).with_name("formats.toml")
    table = tomllib.loads(path.read_text(encoding="utf-8"))
    return {name: _read(name, entry) for name, entry in table.items()}


def tool_format(name: str) -> ToolFormat:
    """Return the format of this name; the canonical one where there is none."""
    known = tool_formats()
    return known.get(name) or known[CANONICAL]


def format_of_template(template: str) -> ToolFormat | None:
    """Return the format that a chat template teaches; None where it knows no tools."""
    if "tools" not in template:
        return None
    return next((known for known in tool_formats().values() if known.fits(template)), None)


def _read(name: str, entry: Mapping[str, Any]) -> ToolFormat:
    values: dict[str, Any] = {
        key: tuple(value) if isinstance(value, list) else value for key, value in entry.items()
    }
    # Only what an object follows is a head; so it is found at the same place however text comes.
    for key in ("head", "between"):
        if key in values:
            values[key] = re.compile(values[key] + r"(?=\{)")
    return ToolFormat(name=name, **values)
