"""What schemathesis is told of this site, so that it hears more than refusals.

Only names of models that exist bring it past 404. What a conversation may say is told by rules that
a schema cannot hold, so every second body gets one that is fine, and loses what nobody knows.
"""

from typing import Any

import schemathesis

MODEL = "parrot"
SAID = [{"role": "user", "content": "Hi"}]


@schemathesis.hook
def map_body(context: schemathesis.HookContext, body: Any) -> Any:
    """Name our model wherever a body names any; mend every second body."""
    if not isinstance(body, dict):
        return body
    if isinstance(body.get("prompts"), list):
        return body | {"prompts": [map_body(context, prompt) for prompt in body["prompts"]]}
    if not isinstance(body.get("model"), str):
        return body
    named = body | {"model": MODEL}
    return mended(named) if len(repr(body)) % 2 else named


def mended(body: dict[str, Any]) -> dict[str, Any]:
    """Return the numbers, flags and texts of a body, with a conversation where it had one."""
    kept = {
        name: value
        for name, value in body.items()
        if name.isidentifier() and name.isascii() and isinstance(value, int | float | str | bool)
    }
    return kept | ({"messages": SAID} if "messages" in body else {})


@schemathesis.hook
def map_path_parameters(context: schemathesis.HookContext, parameters: Any) -> Any:
    """Name our model in every other address."""
    if isinstance(parameters, dict) and len(str(parameters.get("name", ""))) % 2:
        return parameters | {"name": MODEL}
    return parameters
