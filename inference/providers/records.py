"""Endpoints as servers: what may be stored, and what is made of it."""

import json
from dataclasses import fields
from typing import Any

from inference.exceptions import InvalidRequestError
from inference.generation import SamplingParams
from inference.models import Endpoint
from inference.providers.dialects import dialect_named
from inference.providers.server import Server, can_hold_key

RECOMMENDED_RANGES: dict[str, tuple[float, float]] = {
    "temperature": (0.0, 2.0),
    "top_p": (0.0, 1.0),
    "max_tokens": (1, 1_000_000),
}
PARAM_NAMES = frozenset(entry.name for entry in fields(SamplingParams))
MOST_JSON_BYTES = 20_000


def server_of(endpoint: Endpoint) -> Server:
    """Return an endpoint as plain data; its model must be loaded.

    Raises:
        InvalidRequestError: there is no such dialect.
    """
    return Server(
        model=endpoint.model.name,
        dialect=endpoint.dialect,
        url=endpoint.url or dialect_named(endpoint.dialect).default_url,
        name_there=endpoint.remote_name or endpoint.model.name,
        key_variable=endpoint.key_variable,
        takes_images=endpoint.takes_images,
        system_prompt=endpoint.system_prompt,
        fixed_temperature=endpoint.fixed_temperature,
        extra_body=endpoint.extra_body,
        options=endpoint.options,
        dropped_params=frozenset(endpoint.dropped_params),
        endpoint_id=endpoint.pk or 0,
        slots=endpoint.slots,
        requests_per_minute=endpoint.requests_per_minute,
    )


def check_endpoint(endpoint: Endpoint) -> None:
    """Return if requests can be sent by this record, as far as the record alone can tell.

    Raises:
        InvalidRequestError: they cannot; `param` names the field.
    """
    dialect = dialect_named(endpoint.dialect)
    for name in ("recommended", "extra_body", "options"):
        _check_json(getattr(endpoint, name), dict, name)
    _check_json(endpoint.dropped_params, list, "dropped_params")
    for param in endpoint.dropped_params:
        if param not in PARAM_NAMES:
            raise InvalidRequestError(f"{param!r} is no sampling parameter", param="dropped_params")
    check_recommended(endpoint.recommended)
    if not endpoint.url and not dialect.default_url:
        raise InvalidRequestError(f"{endpoint.dialect} needs an address", param="url")
    if dialect.needs_key and not endpoint.key_variable:
        raise InvalidRequestError(
            f"{endpoint.dialect} needs a key; name its environment variable", param="key_variable"
        )
    if endpoint.key_variable and not can_hold_key(endpoint.key_variable):
        raise InvalidRequestError(
            f"{endpoint.key_variable} is no name for a server's key; it must hold KEY, TOKEN or"
            " CREDENTIALS, and no secret of this site",
            param="key_variable",
        )
    if endpoint.takes_images and not dialect.takes_images:
        raise InvalidRequestError(f"{endpoint.dialect} takes no images", param="takes_images")
    dialect.check(server_of(endpoint))


def check_recommended(values: dict[str, Any]) -> None:
    """Return if these can be a battle's parameters.

    Raises:
        InvalidRequestError: one is unknown or out of range.
    """
    for name, value in values.items():
        if name not in RECOMMENDED_RANGES:
            known = ", ".join(RECOMMENDED_RANGES)
            raise InvalidRequestError(
                f"recommended parameters are {known}, not {name!r}", param="recommended"
            )
        low, high = RECOMMENDED_RANGES[name]
        is_number = isinstance(value, int if name == "max_tokens" else int | float)
        if not is_number or isinstance(value, bool) or not low <= value <= high:
            raise InvalidRequestError(
                f"the recommended {name} must be {low} to {high}, not {value!r}",
                param="recommended",
            )


def _check_json(value: Any, kind: type, name: str) -> None:
    if not isinstance(value, kind):
        raise InvalidRequestError(f"{name} must be a JSON {JSON_NAMES[kind]}", param=name)
    if len(json.dumps(value)) > MOST_JSON_BYTES:
        raise InvalidRequestError(f"{name} is larger than {MOST_JSON_BYTES} bytes", param=name)


JSON_NAMES: dict[type, str] = {dict: "object", list: "array"}
