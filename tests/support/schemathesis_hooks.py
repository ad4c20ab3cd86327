"""What schemathesis is told of this site: without a model that exists nothing but 404 is heard."""

from typing import Any

import schemathesis

MODEL = "parrot"


@schemathesis.hook
def map_body(context: schemathesis.HookContext, body: Any) -> Any:
    """Name our model wherever a body names any."""
    if not isinstance(body, dict):
        return body
    if isinstance(body.get("model"), str):
        return body | {"model": MODEL}
    if isinstance(body.get("prompts"), list):
        return body | {"prompts": [map_body(context, prompt) for prompt in body["prompts"]]}
    return body


@schemathesis.hook
def map_path_parameters(context: schemathesis.HookContext, parameters: Any) -> Any:
    """Name our model in every other address."""
    if isinstance(parameters, dict) and len(str(parameters.get("name", ""))) % 2:
        return parameters | {"name": MODEL}
    return parameters
