"""Our sampling parameters in a server's words."""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from inference.exceptions import InvalidRequestError
from inference.generation import SamplingParams
from inference.providers.server import DEFAULT_PARAMS, Server

# They concern the tokens of a model that runs here; no server's text changes with them.
HARMLESS = frozenset({"skip_special_tokens", "spaces_between_special_tokens"})
ALWAYS_SENT = frozenset({"temperature"})  # our default is ours alone


def wire_params(
    params: SamplingParams,
    server: Server,
    *,
    takes: Mapping[str, str],
    ignores: frozenset[str] = HARMLESS,
) -> dict[str, Any]:
    """Return the parameters as fields of a request.

    Those at their default are left out, so that a server's own defaults, which are the same, hold
    and no server is asked about what it may not know; only the temperature is always sent.

    Args:
        params: what is wanted.
        server: whom it is wanted of; its `dropped_params` are left out silently.
        takes: our name of each parameter the server takes → its name there.
        ignores: parameters that are left out whatever they are.

    Raises:
        InvalidRequestError: a parameter that would change the answer is not taken there.
    """
    sent: dict[str, Any] = {}
    for parameter in fields(params):
        name = parameter.name
        value = getattr(params, name)
        is_default = value == getattr(DEFAULT_PARAMS, name)
        if name in server.dropped_params or name in ignores:
            continue
        if name in takes and (name in ALWAYS_SENT or not is_default):
            sent[takes[name]] = list(value) if isinstance(value, tuple) else value
        if name not in takes and not is_default:
            raise InvalidRequestError(
                f"the server of {server.model!r} does not take {name}", param=name
            )
    return sent


def check_at_most(limit: float, params: SamplingParams, name: str, *, server: Server) -> None:
    """Return if a parameter is not above what a server takes.

    Raises:
        InvalidRequestError: it is.
    """
    if getattr(params, name) > limit and name not in server.dropped_params:
        raise InvalidRequestError(
            f"the server of {server.model!r} takes a {name} of {limit:g} at most", param=name
        )
