"""Reads files of template families, ours and those a site adds, and says what is wrong in one."""

import re
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jinja2

from inference.chat_templates.environment import compile_template
from inference.exceptions import InvalidFamilyError

FILE_BYTES = 1_000_000
GIVEN = frozenset(
    {"system", "system_message", "messages", "user", "assistant", "sep", "sep2"}
    | {"add_generation_prompt"}
)
"""What every layout reads."""

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


def read_family_file(path: Path, *, layouts: Path) -> dict[str, dict[str, Any]]:
    """Return the families of a file by name, each as the fields of a `ChatTemplate`.

    Args:
        path: a TOML file with one table for each family.
        layouts: the folder of the shared layouts.

    Raises:
        InvalidFamilyError: it cannot be read, or an entry has an unknown key, a value of the wrong
            kind, or a layout that is not there or is no Jinja; the message says where.
    """
    try:
        if path.stat().st_size > FILE_BYTES:
            raise InvalidFamilyError(path, f"is larger than {FILE_BYTES} bytes")
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InvalidFamilyError(path, f"cannot be read ({error.strerror})") from error
    except ValueError as error:  # tomllib's and UTF-8's errors are both
        raise InvalidFamilyError(path, f"is not TOML: {error}") from error
    return {name: _read_entry(path, name, entry, layouts) for name, entry in table.items()}


def _read_entry(path: Path, name: str, entry: Any, layouts: Path) -> dict[str, Any]:
    """Check one family and turn its lists into tuples."""
    if not NAME.fullmatch(name):
        raise InvalidFamilyError(path, f"{name!r} is not a name of letters, digits, '.', '_', '-'")
    if not isinstance(entry, Mapping):
        raise InvalidFamilyError(path, f"{name} is not a table [{name}]")
    unknown = sorted(set(entry) - set(KINDS))
    if unknown:
        raise InvalidFamilyError(path, f"[{name}] has an unknown key {unknown[0]!r}")
    missing = [key for key in ("layout", "roles") if key not in entry]
    if missing:
        raise InvalidFamilyError(path, f"[{name}] needs the key {missing[0]!r}")
    for key, value in entry.items():
        is_right, kind = KINDS[key]
        if not is_right(value):
            raise InvalidFamilyError(path, f"{key} of [{name}] must be {kind}")
    values = {key: _frozen(value) for key, value in entry.items()}
    values["layout"] = _layout(path, name, entry["layout"], layouts)
    return values


def _layout(path: Path, name: str, layout: str, layouts: Path) -> str:
    """Return a shared layout's name, or the path of a Jinja file beside the family file."""
    if not layout:
        return ""
    if not layout.endswith(".jinja"):
        if not NAME.fullmatch(layout) or not (layouts / f"{layout}.jinja").is_file():
            known = ", ".join(sorted(file.stem for file in layouts.glob("*.jinja")))
            raise InvalidFamilyError(
                path, f"[{name}] asks for the layout {layout!r}; there are {known}"
            )
        return layout
    file = (path.parent / layout).resolve()
    try:
        compile_template(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, jinja2.TemplateError) as error:
        raise InvalidFamilyError(
            path, f"the layout {layout!r} of [{name}] cannot be used: {error}"
        ) from error
    return str(file)


def _frozen(value: Any) -> Any:
    return tuple(_frozen(one) for one in value) if isinstance(value, list) else value


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_id(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _list_of(is_right: Callable[[Any], bool], count: int | None = None) -> Callable[[Any], bool]:
    """A check for lists whose entries pass a check, with so many of them."""
    return lambda value: (
        isinstance(value, list)
        and all(is_right(one) for one in value)
        and count in (None, len(value))
    )


TEXT = (_is_text, "a text")
TEXTS = (_list_of(lambda value: _is_text(value) and value != ""), "a list of texts, none empty")
KINDS: dict[str, tuple[Callable[[Any], bool], str]] = {
    "layout": TEXT,
    "roles": (_list_of(_is_text, 2), "a list of two texts"),
    "system_template": TEXT,
    "system_message": TEXT,
    "separator": TEXT,
    "separator_2": TEXT,
    "stop": TEXTS,
    "stop_token_ids": (_list_of(_is_id), "a list of token ids"),
    "few_shot": (_list_of(_list_of(_is_text, 2)), "a list of pairs of texts"),
    "variables": (
        lambda value: isinstance(value, Mapping) and GIVEN.isdisjoint(value),
        f"a table without the names {', '.join(sorted(GIVEN))}",
    ),
    "aliases": TEXTS,
    "patterns": (
        lambda value: TEXTS[0](value) and all(one == one.lower() for one in value),
        "a list of patterns in lower case",
    ),
    "source": TEXT,
}
"""Every key of a family, the check of its value, and what it must be."""
