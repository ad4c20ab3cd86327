"""Functions that a program offers to a model: which it may call, and how it is held to that.

Functions are written here as OpenAI's chat completions have them, `{"type": "function",
"function": {"name", "description", "parameters", "strict"}}`; the other protocols are turned into
that.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from rest_framework import serializers

from inference import client, grammars
from inference.exceptions import InvalidRequestError
from inference.generation import GenerationRequest
from inference.tools.formats import CANONICAL, tool_format
from inference.tools.parser import CallParser

FUNCTION_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
MAX_DESCRIPTION_CHARS = 16_384
NO_PARAMETERS: Mapping[str, Any] = {"type": "object", "properties": {}}

Function = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class CallChoice:
    """Whether the model may call functions.

    Attributes:
        mode: "none" offers none, "auto" leaves it to the model, "required" wants a call.
        name: the one function to be called; "" for any.
        is_parallel: whether one answer may hold several calls.
    """

    mode: Literal["none", "auto", "required"] = "auto"
    name: str = ""
    is_parallel: bool = True

    def offered(self, tools: Sequence[Function]) -> tuple[Function, ...]:
        """Return the functions the model is told of."""
        if self.mode == "none":
            return ()
        return tuple(tool for tool in tools if self.name in ("", tool["function"]["name"]))


def function_of(data: Any, *, param: str, schema_name: str = "parameters") -> Function:
    """Return one function whose fields stand in one object.

    Args:
        data: the object, with name, description and a schema.
        param: where it stands in the request.
        schema_name: how the field of the schema is called.

    Raises:
        ValidationError: a field is missing or wrong.
        InvalidRequestError: the schema is too large or none.
    """
    name, description = data.get("name"), data.get("description")
    schema, strict = data.get(schema_name), data.get("strict")
    if not isinstance(name, str) or not FUNCTION_NAME.fullmatch(name):
        raise refused(f"{param}.name", "This must be 1 to 64 letters, digits, _ or -.")
    if not isinstance(description, str | None):
        raise refused(f"{param}.description", "This must be a string.")
    if len(description or "") > MAX_DESCRIPTION_CHARS:
        raise refused(
            f"{param}.description", f"{MAX_DESCRIPTION_CHARS} characters are allowed.", "too_long"
        )
    if not isinstance(strict, bool | None):
        raise refused(f"{param}.strict", "This must be true or false.")
    if schema is not None:
        try:
            grammars.check_schema(schema)
        except InvalidRequestError as error:
            place = f"{param}.{schema_name}"
            raise InvalidRequestError(f"{place}: {error}", param=place) from error
    function = {"name": name, "parameters": NO_PARAMETERS if schema is None else schema}
    if description is not None:
        function["description"] = description
    if strict is not None:
        function["strict"] = strict
    return {"type": "function", "function": function}


def checked_functions(tools: Sequence[Function], choice: CallChoice) -> tuple[Function, ...]:
    """Return the functions, which are not too many, unlike one another and hold the chosen one.

    Raises:
        ValidationError: they are not.
    """
    names = [tool["function"]["name"] for tool in tools]
    if len(names) > grammars.MAX_FUNCTIONS:
        raise refused("tools", f"{grammars.MAX_FUNCTIONS} functions are allowed.", "too_many")
    if len(set(names)) < len(names):
        raise refused("tools", "Two functions have the same name.", "invalid_combination")
    if choice.mode == "required" and not names:
        raise refused("tool_choice", "This needs tools to choose from.", "invalid_combination")
    if choice.name and choice.name not in names:
        raise refused("tool_choice", f"There is no function {choice.name!r} among the tools.")
    return tuple(tools)


async def held_to_calls(
    request: GenerationRequest, choice: CallChoice
) -> tuple[GenerationRequest, CallParser | None]:
    """Return the request with what its choice of calls demands, and who reads the calls.

    The parser is None where no function is offered: all of the answer is text then.

    Raises:
        BusUnavailableError: nobody can say how the model writes calls.
    """
    if not request.tools:
        return request, None
    form = tool_format(await client.tool_format_of(request.model))
    most = None if choice.is_parallel else 1
    functions = [
        {"name": tool["function"]["name"], "parameters": tool["function"]["parameters"]}
        for tool in request.tools
    ]
    if choice.mode == "required":
        if form.grammar is None:
            form = tool_format(CANONICAL)
        forced = {
            "type": "calls",
            "functions": functions,
            "most": grammars.MAX_CALLS if choice.is_parallel and not choice.name else 1,
            **(form.grammar or {}),
        }
        request = replace(request, params=replace(request.params, grammar=forced))
    names = [function["name"] for function in functions]
    return request, CallParser(form, names=names, most=most)


def refused(param: str, sentence: str, code: str = "invalid_value") -> serializers.ValidationError:
    """Return the fault of a field, to be raised."""
    return serializers.ValidationError({param: sentence}, code=code)
