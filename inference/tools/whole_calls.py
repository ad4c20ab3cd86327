"""Calls read from a complete text: for those whose keys come in an unusual order."""

import json
from typing import Any

ARGUMENT_KEYS = ("arguments", "parameters")


def calls_in(body: str) -> list[tuple[str, str]]:
    """Return the calls of a JSON text, an object or a list, as name and arguments.

    Arguments that are a string stay as they are, since some models write their JSON twice.
    The list is empty where the text is no call.
    """
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return []
    entries = value if isinstance(value, list) else [value]
    calls = [_call(entry) for entry in entries]
    return [call for call in calls if call is not None] if all(calls) else []


def _call(entry: Any) -> tuple[str, str] | None:
    if not isinstance(entry, dict) or not isinstance(entry.get("name"), str):
        return None
    given = [entry[key] for key in ARGUMENT_KEYS if key in entry]
    arguments = given[0] if given else {}
    if isinstance(arguments, str):
        return entry["name"], arguments
    if not isinstance(arguments, dict):
        return None
    return entry["name"], json.dumps(arguments, ensure_ascii=False)
