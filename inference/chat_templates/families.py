"""The table of template families: layout, separators, stop rules and the models that use them.

`families/*.toml` hold the facts, `layouts/*.jinja` the ways of writing that families share.
`docs/reference/models.md` shows the table; `docs/guides/add_a_model.md` how to add to it.
"""

import difflib
import fnmatch
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from inference.chat_templates.adapter_base import base_of_adapter
from inference.chat_templates.family_files import read_family_file
from inference.exceptions import InvalidRequestError

FOLDER = Path(__file__).parent
FILES = ("vicuna", "chinese", "tuned", "makers", "general", "api")
"""The files under `families/`, in the order in which their name patterns are tried: what is tuned
from a model names that model too, so it comes before it."""

DEFAULT_FAMILY = "default"


@dataclass(frozen=True, slots=True)
class ChatTemplate:
    """One family's way of writing conversations.

    Attributes:
        name: the family.
        layout: name of a Jinja file under `layouts/`, or the path of one elsewhere; "" where the
            model is reached by messages alone and no text is ever written.
        roles: what user and assistant are called in the text.
        system_template: how the system message is wrapped; `{system_message}` stands for it.
        system_message: the system message where the conversation has none.
        separator: what stands between parts.
        separator_2: what ends the assistant's part where that differs.
        stop: texts that end an answer.
        stop_token_ids: tokens that end an answer.
        few_shot: turns (user, assistant) that go before a conversation without a system message.
        variables: what only this layout reads.
        aliases: other names of the family.
        patterns: shell patterns of the model names that use the family, lower case.
        source: where its facts are documented: a model card by its id on the hub, or an address.
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
    few_shot: tuple[tuple[str, str], ...] = ()
    variables: Mapping[str, Any] = field(default_factory=dict, hash=False)
    aliases: tuple[str, ...] = ()
    patterns: tuple[str, ...] = ()
    source: str = ""

    @property
    def jinja(self) -> str:
        """The text of the layout.

        Raises:
            InvalidRequestError: the family has none.
        """
        if not self.layout:
            raise InvalidRequestError(
                f"the family {self.name!r} has no layout: its models take messages, not a text"
            )
        return _layout_text(self.layout)


_files_of_the_site: list[Path] = []


def use_family_file(path: Path | None) -> None:
    """Let the families of a file come before ours, in place of those of an earlier call.

    The file is read when a family is first looked for.
    """
    _files_of_the_site[:] = [] if path is None else [path]
    families.cache_clear()


@cache
def families() -> dict[str, ChatTemplate]:
    """Return all families by name, in the order in which their patterns are tried.

    Raises:
        InvalidFamilyError: the site's own file cannot be read; the message says what is wrong.
    """
    ours = [FOLDER / "families" / f"{name}.toml" for name in FILES]
    table: dict[str, ChatTemplate] = {}
    for path in [*_files_of_the_site, *ours]:
        for name, entry in read_family_file(path, layouts=FOLDER / "layouts").items():
            table.setdefault(name, ChatTemplate(name=name, **entry))
    return table


def family_named(name: str) -> ChatTemplate:
    """Return one family, by its name or an alias.

    Raises:
        InvalidRequestError: there is no such family; the message names those that sound alike.
        InvalidFamilyError: the site's own file cannot be read.
    """
    known = families()
    if name in known:
        return known[name]
    for family in known.values():
        if name in family.aliases:
            return family
    names = [one for family in known.values() for one in (family.name, *family.aliases)]
    by_lower = {one.lower(): one for one in names}
    alike = [by_lower[one] for one in difflib.get_close_matches(name.lower(), by_lower, n=3)]
    hint = f" did you mean {' or '.join(alike)}?" if alike else ""
    raise InvalidRequestError(
        f"there is no chat template {name[:100]!r};{hint} docs/reference/models.md lists all"
    )


def family_for(model_name: str) -> ChatTemplate | None:
    """Return the family whose pattern fits a model's name or path; None where none does.

    The last part of the path is tried first, as folders above it are often named after another
    model; then the whole path (`…/vicuna-7b-v1.5/checkpoint-300`). The folder of a PEFT adapter
    has the family of its base model.

    Raises:
        InvalidFamilyError: the site's own file cannot be read.
    """
    path = (base_of_adapter(Path(model_name)) or model_name).rstrip("/").lower()
    for text in (path.rsplit("/", maxsplit=1)[-1], path):
        for family in families().values():
            if any(fnmatch.fnmatchcase(text, pattern) for pattern in family.patterns):
                return family
    return None


@cache
def _layout_text(layout: str) -> str:
    path = Path(layout)
    if not path.is_absolute():
        path = FOLDER / "layouts" / f"{layout}.jinja"
    return path.read_text(encoding="utf-8")
