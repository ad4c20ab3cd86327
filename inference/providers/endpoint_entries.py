"""One model of a file of endpoints: what it becomes here."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import ValidationError

from inference.chat_templates.families import family_for
from inference.exceptions import InvalidRequestError
from inference.models import DEFAULT_SLOTS, Endpoint, LanguageModel
from inference.providers.api_types import ApiType, api_type_named, fitted
from inference.providers.file_keys import KeyFound, key_of
from inference.providers.records import check_endpoint

RECOMMENDED = {"temperature": "temperature", "top_p": "top_p", "max_new_tokens": "max_tokens"}


class EndpointFileError(InvalidRequestError):
    """A file of endpoints cannot be used; the message names the entry and the key."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One model of the file.

    Attributes:
        name: what it is called here.
        endpoint: its endpoint, not stored yet and without its model.
        key: the key where the file holds one, for whoever keeps keys.
        is_listed: whether it appears outside battles.
        is_in_arena: whether it is drawn for battles.
    """

    name: str
    endpoint: Endpoint
    key: KeyFound | None
    is_listed: bool
    is_in_arena: bool


def entry_of(name: str, data: dict[str, Any], environment: Mapping[str, str]) -> Entry:
    """Return what an entry says.

    Args:
        name: what the model is called here.
        data: the entry, its keys and their types checked.
        environment: where FastChat found what an entry does not say.

    Raises:
        InvalidRequestError: something cannot be as it is; the message or `param` names it.
    """
    base = (data.get("api_base") or "").strip()
    api_type = fitted(api_type_named(data["api_type"]), base=base, model_name=data["model_name"])
    key = key_of(data, api_type, name=name)
    recommended, extra_body = _recommended(data.get("recommended_config") or {})
    endpoint = Endpoint(
        model=LanguageModel(name=name),
        dialect=api_type.dialect,
        url=base,
        remote_name=data["model_name"],
        key_variable=key.variable if key else "",
        takes_images=bool(data.get("vision-arena")),
        system_prompt=_system_prompt(name, data),
        fixed_temperature=_fixed_temperature(data, api_type),
        recommended=recommended,
        extra_body=extra_body,
        options=_options(data, api_type, environment),
        dropped_params=data.get("dropped_params") or [],
        slots=DEFAULT_SLOTS if data.get("slots") is None else data["slots"],
        requests_per_minute=data.get("requests_per_minute") or 0,
    )
    check_record(endpoint)
    is_in_arena = data.get("text-arena")
    return Entry(
        name=name,
        endpoint=endpoint,
        key=key,
        is_listed=not data["anony_only"],
        is_in_arena=True if is_in_arena is None else is_in_arena,
    )


def check_record(endpoint: Endpoint) -> None:
    """Return if a record that is not stored yet could be.

    Raises:
        InvalidRequestError: a field cannot be as it is; `param` names it.
    """
    try:
        endpoint.model.clean_fields(exclude=["title"])
        endpoint.clean_fields(exclude=["model"])
    except ValidationError as error:
        field, messages = next(iter(error.message_dict.items()))
        raise InvalidRequestError(" ".join(messages), param=field) from error
    check_endpoint(endpoint)


def _recommended(config: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the recommended parameters in our names, and the extra fields."""
    for key in config:
        if key not in {*RECOMMENDED, "extra_body"}:
            raise EndpointFileError(f'the key "{key}" in recommended_config is unknown')
    params = {
        ours: config[theirs]
        for theirs, ours in RECOMMENDED.items()
        if config.get(theirs) is not None
    }
    extra_body = config.get("extra_body") or {}
    if not isinstance(extra_body, dict):
        raise EndpointFileError('"extra_body" in recommended_config must be an object')
    return params, extra_body


def _system_prompt(name: str, data: dict[str, Any]) -> str:
    """Return the prompt: the entry's own words, or what its template family begins with."""
    wanted = data.get("custom_system_prompt") or ""
    if wanted is not True:
        return str(wanted)
    family = family_for(name) or family_for(data["model_name"])
    return family.system_message if family else ""


def _fixed_temperature(data: dict[str, Any], api_type: ApiType) -> float | None:
    """Return the temperature that is always sent; `true` means the APIs' default of 1."""
    value = data.get("fixed_temperature")
    if value is None or value is False:
        return api_type.fixed_temperature
    return float(value)


def _options(
    data: dict[str, Any], api_type: ApiType, environment: Mapping[str, str]
) -> dict[str, Any]:
    found = {
        option: environment[variable]
        for option, variable in api_type.from_environment.items()
        if environment.get(variable)
    }
    told = {name: data[name] for name in ("folder_id", "client_name") if data.get(name)}
    return {**api_type.options, **found, **told, **(data.get("options") or {})}
