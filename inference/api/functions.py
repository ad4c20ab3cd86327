"""Functions that a program offers by another protocol than OpenAI's chat completions."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from rest_framework import serializers

from inference import client
from inference.api.tool_fields import ToolsField, tool_use_of
from inference.generation import GenerationRequest
from inference.tools.parser import CallParser
from inference.tools.use import ToolUse

_tools = ToolsField()


def function_tool(data: Mapping[str, Any], *, schema_name: str = "parameters") -> dict[str, Any]:
    """Return a function whose fields stand in one object as chat completions have it.

    Args:
        data: the object, with name, description and a schema.
        schema_name: how the field of the schema is called there.
    """
    names = {"name": "name", "description": "description", "strict": "strict"}
    names["parameters"] = schema_name
    function = {name: data[there] for name, there in names.items() if there in data}
    return {"type": "function", "function": function}


def checked_use(
    tools: Sequence[Mapping[str, Any]], way: str, name: str = "", *, is_parallel: bool = True
) -> ToolUse | None:
    """Return how functions may be called; None where none may be.

    Args:
        tools: functions as chat completions have them, unchecked.
        way: "none", "auto" or "required".
        name: the one that must be called; "" for any.
        is_parallel: whether one answer may hold several calls.

    Raises:
        ValidationError: a function is malformed, or one must be called that nobody offers.
        InvalidRequestError: a schema is too large.
    """
    try:
        checked = _tools.run_validation(list(tools))
    except serializers.ValidationError as error:
        raise serializers.ValidationError({"tools": error.detail}) from error
    return tool_use_of(
        {"tools": checked, "tool_choice": (way, name), "parallel_tool_calls": is_parallel}
    )


async def with_functions(
    request: GenerationRequest, use: ToolUse | None
) -> tuple[GenerationRequest, CallParser | None]:
    """Return the request that offers functions, and who reads calls of them in the answer.

    The parser is None where no function is offered: all of the answer is text then.

    Raises:
        BusUnavailableError: nobody can say how the model writes calls.
    """
    if use is None:
        return request, None
    form = use.form_of(await client.tool_format_of(request.model))
    params = use.applied_to(request.params, form)
    return replace(request, tools=use.tools, params=params), use.parser(form)


def refused(param: str, sentence: str, code: str = "invalid_value") -> serializers.ValidationError:
    """Return the fault of a field, to be raised."""
    return serializers.ValidationError({param: sentence}, code=code)
