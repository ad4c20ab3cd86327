"""The table of template families: layout, separators, stop rules and the models that use them.

`families.toml` holds the facts, `layouts/*.jinja` the ways of writing that families share.
"""

import fnmatch
import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent
DEFAULT_FAMILY = "default"


@dataclass(frozen=True, slots=True)
class ChatTemplate:
    """One family's way of writing conversations.

    Attributes:
        name: the family.
        layout: name of the Jinja file under `layouts/`.
        roles: what user and assistant are called in the text.
        system_template: how the system message is wrapped; `{system_message}` stands for it.
        system_message: the system message where the conversation has none.
        separator: what stands between parts.
        separator_2: what ends the assistant's part where that differs.
        stop: texts that end an answer.
        stop_token_ids: tokens that end an answer.
        patterns: shell patterns of the model names that use the family, lower case.
    """

    name: str
    layout: str
    roles: tuple[str, str]
    system_template: str = "{system_message}"
    system_message: str = ""
    separator: str = ""
    separator_2: str = ""
    stop: tuple[str, ...] = ()
    stop_token_ids: tuple[int, ...] = ()
    patterns: tuple[str, ...] = ()

    @property
    def source(self) -> str:
        """The Jinja text of the layout."""
        return _layout_source(self.layout)


@cache
def families() -> dict[str, ChatTemplate]:
    """Return all families by name, in the order in which their patterns are tried."""
    with (FOLDER / "families.toml").open("rb") as file:
        table = tomllib.load(file)
    return {name: _read(name, entry) for name, entry in table.items()}


def family_named(name: str) -> ChatTemplate:
    """Return one family.

    Raises:
        KeyError: there is no such family; the message lists those there are.
    """
    try:
        return families()[name]
    except KeyError:
        known = ", ".join(families())
        raise KeyError(f"no chat template {name!r}; there are {known}") from None


def family_for(model_name: str) -> ChatTemplate | None:
    """Return the family whose pattern fits a model's name or path; None where none does."""
    name = model_name.rstrip("/").rsplit("/", maxsplit=1)[-1].lower()
    for family in families().values():
        if any(fnmatch.fnmatchcase(name, pattern) for pattern in family.patterns):
            return family
    return None


def _read(name: str, entry: dict[str, Any]) -> ChatTemplate:
    """Make a family of a table, lists as tuples."""
    values: dict[str, Any] = {
        key: tuple(value) if isinstance(value, list) else value for key, value in entry.items()
    }
    return ChatTemplate(name=name, **values)


@cache
def _layout_source(layout: str) -> str:
    return (FOLDER / "layouts" / f"{layout}.jinja").read_text(encoding="utf-8")
