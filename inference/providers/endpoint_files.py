"""FastChat's `api_endpoints.json`: entries read, checked and turned into endpoints.

    {"display name": {"model_name": …, "api_type": …, "api_base": …, "api_key": …,
                      "anony_only": …, "recommended_config": {…}, "text-arena": …, …}, …}

Keys of our own are welcome beside FastChat's: `options`, `slots`, `requests_per_minute` and
`dropped_params`, with the meaning they have in the record.
"""

import json
from collections.abc import Mapping
from typing import Any

from inference.exceptions import InvalidRequestError
from inference.providers.endpoint_entries import EndpointFileError, Entry, entry_of

MOST_ENTRIES = 1000
REQUIRED = ("model_name", "api_type", "anony_only")
TEXT = "text"
FLAG = "true or false"
NUMBER = "a number"
WHOLE = "a whole number"
OBJECT = "an object"
LIST = "a list"
KINDS: dict[str, tuple[type, ...]] = {
    TEXT: (str,),
    FLAG: (bool,),
    NUMBER: (int, float),
    WHOLE: (int,),
    OBJECT: (dict,),
    LIST: (list,),
}
KEYS: dict[str, tuple[str, ...]] = {
    "model_name": (TEXT,),
    "api_type": (TEXT,),
    "api_base": (TEXT,),
    "api_key": (TEXT,),
    "key_variable": (TEXT,),
    "anony_only": (FLAG,),
    "recommended_config": (OBJECT,),
    "custom_system_prompt": (FLAG, TEXT),
    "text-arena": (FLAG,),
    "vision-arena": (FLAG,),
    "assistant_id": (TEXT,),
    "folder_id": (TEXT,),
    "fixed_temperature": (FLAG, NUMBER),
    "client_name": (TEXT,),
    "options": (OBJECT,),
    "dropped_params": (LIST,),
    "slots": (WHOLE,),
    "requests_per_minute": (WHOLE,),
}


def read_endpoint_file(text: str, environment: Mapping[str, str]) -> list[Entry]:
    """Return the entries of a file in its order.

    Args:
        text: its content, JSON.
        environment: where FastChat found what an entry does not say, such as a project.

    Raises:
        EndpointFileError: it is not JSON of this form.
    """
    try:
        table = json.loads(
            text, object_pairs_hook=_without_doubles, parse_constant=_refuse_constant
        )
    except RecursionError:
        raise EndpointFileError("the file is nested too deeply") from None
    except json.JSONDecodeError as error:
        raise EndpointFileError(f"the file is not JSON: {error}") from None
    if not isinstance(table, dict) or not 1 <= len(table) <= MOST_ENTRIES:
        raise EndpointFileError(
            f"the file must hold one JSON object with 1 to {MOST_ENTRIES} models"
        )
    return [_read_entry(name, data, environment) for name, data in table.items()]


def _without_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    names = [name for name, _ in pairs]
    for name in names:
        if names.count(name) > 1:
            raise EndpointFileError(f'"{name}" stands in the file twice')
    return dict(pairs)


def _refuse_constant(name: str) -> None:
    raise EndpointFileError(f"the file is not JSON: it holds {name}")


def _read_entry(name: str, data: Any, environment: Mapping[str, str]) -> Entry:
    """Return one entry; whatever is wrong with it names it."""
    try:
        _check_keys(data)
        return entry_of(name, data, environment)
    except EndpointFileError as error:
        raise EndpointFileError(f'entry "{name}": {error}') from None
    except InvalidRequestError as error:
        place = f", {error.param}" if error.param else ""
        raise EndpointFileError(f'entry "{name}"{place}: {error}') from None


def _check_keys(data: Any) -> None:
    if not isinstance(data, dict):
        raise EndpointFileError("it must be an object")
    for key in REQUIRED:
        if data.get(key) is None:
            raise EndpointFileError(f'the key "{key}" is missing')
    for key, value in data.items():
        if key not in KEYS:
            raise EndpointFileError(f'the key "{key}" is unknown')
        if value is not None and not any(_is(value, kind) for kind in KEYS[key]):
            raise EndpointFileError(f'"{key}" must be {" or ".join(KEYS[key])}')


def _is(value: Any, kind: str) -> bool:
    return isinstance(value, KINDS[kind]) and (kind == FLAG or not isinstance(value, bool))
