"""Keys in a file of endpoints: they belong into the environment, and never into the database."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from inference.exceptions import InvalidRequestError
from inference.providers.api_types import ApiType

VARIABLE = re.compile(r"[A-Z][A-Z0-9_]{0,63}")
# What people write where a server wants no key.
NO_KEYS = frozenset({"", "empty", "none", "null", "dummy", "no-key", "not-needed"})
OWNER_ONLY = 0o600


@dataclass(frozen=True, slots=True)
class KeyFound:
    """Where a key is.

    Attributes:
        variable: the environment variable that holds it, or shall.
        text: the key itself where the file holds it; "" where the file names the variable.
    """

    variable: str
    text: str = field(default="", repr=False)


def key_of(data: dict[str, Any], api_type: ApiType, *, name: str) -> KeyFound | None:
    """Return where an entry's key is; None where the server needs none.

    `api_key` may name a variable, as `$VARIABLE`, `${VARIABLE}` or in capitals with an underline;
    `key_variable` always does. Anything else in `api_key` is a key. Where neither says anything
    the variable is the one that the api type always used.

    Raises:
        InvalidRequestError: `key_variable` cannot be a variable's name, or both are given.
    """
    named = (data.get("key_variable") or "").strip()
    written = (data.get("api_key") or "").strip()
    if named and written:
        raise InvalidRequestError("an entry has one of the two", param="api_key and key_variable")
    if named:
        if not VARIABLE.fullmatch(named):
            raise InvalidRequestError(
                f"{named!r} is no name of capitals, digits and _", param="key_variable"
            )
        return KeyFound(named)
    if written.lower() in NO_KEYS:
        return KeyFound(api_type.key_variable) if api_type.key_variable else None
    if written.startswith("$"):
        variable = written.removeprefix("$").removeprefix("{").removesuffix("}")
        if not VARIABLE.fullmatch(variable):
            raise InvalidRequestError(
                "what follows the $ is no name of capitals, digits and _", param="api_key"
            )
        return KeyFound(variable)
    if VARIABLE.fullmatch(written) and "_" in written:
        return KeyFound(written)
    return KeyFound(variable_for(name), written)


def variable_for(name: str) -> str:
    """Return a variable for the key of a model, such as FASTCHAT_KEY_GPT_4O."""
    return f"FASTCHAT_KEY_{re.sub('[^A-Z0-9]+', '_', name.upper())}"[:64].rstrip("_")


def write_keys(path: Path, keys: Iterable[KeyFound]) -> int:
    """Write keys as `VARIABLE='key'` lines, readable by the owner alone; return how many.

    Raises:
        InvalidRequestError: the file is there already or cannot be written, two keys would share
            a variable, or a key cannot stand in a line.
    """
    table: dict[str, str] = {}
    for key in keys:
        if not key.text.isprintable() or "'" in key.text:
            raise InvalidRequestError(f"the key for {key.variable} holds odd characters")
        if table.setdefault(key.variable, key.text) != key.text:
            raise InvalidRequestError(f"two models would share {key.variable}; name variables")
    try:
        path.touch(mode=OWNER_ONLY, exist_ok=False)
        path.write_text("".join(f"{name}='{text}'\n" for name, text in table.items()))
    except FileExistsError:
        raise InvalidRequestError(f"{path} is there already; keys are not overwritten") from None
    except OSError as error:
        raise InvalidRequestError(f"{path} cannot be written: {error.strerror}") from error
    return len(table)
