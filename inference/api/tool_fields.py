"""The fields of tools: functions that may be called, which of them must be, calls that were made.

Source: OpenAI's API reference, "tools", "tool_choice" and "tool_calls" of chat completions.
"""

import json
import re
from collections.abc import Mapping
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from inference.api import limits
from inference.api.fields import FlagField, TextField
from inference.grammars import MAX_FUNCTIONS, check_schema
from inference.messages import ToolCall
from inference.tools.use import ToolUse

FUNCTION_NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}")
NO_PARAMETERS: dict[str, Any] = {"type": "object", "properties": {}}

FUNCTION_SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["type", "function"],
    "properties": {
        "type": {"type": "string", "enum": ["function"]},
        "function": {
            "type": "object",
            "required": ["name"],
            "properties": {
                "name": {"type": "string", "pattern": "^[A-Za-z0-9_.-]{1,64}$"},
                "description": {
                    "type": "string",
                    "maxLength": limits.MAX_TOOL_DESCRIPTION_CHARS,
                    "nullable": True,
                },
                "parameters": {"type": "object", "nullable": True},
                "strict": {"type": "boolean", "nullable": True},
            },
        },
    },
}


def function_name(name: Any) -> str:
    """Return the name of a function.

    Raises:
        ValidationError: no function can be called so.
    """
    if not isinstance(name, str) or not FUNCTION_NAME.fullmatch(name):
        raise serializers.ValidationError(
            "The name of a function must have 1 to 64 letters, digits, dots, dashes or"
            " underscores.",
            code="invalid_name",
        )
    return name


@extend_schema_field(
    {"type": "array", "maxItems": MAX_FUNCTIONS, "items": FUNCTION_SCHEMA, "nullable": True}
)
class ToolsField(serializers.Field[tuple[Mapping[str, Any], ...], Any, Any, Any]):
    """Functions the model may call."""

    description = TextField(allow_blank=True, max_length=limits.MAX_TOOL_DESCRIPTION_CHARS)
    strict = FlagField()

    def to_internal_value(self, data: Any) -> tuple[Mapping[str, Any], ...]:
        """Return the functions, each with parameters."""
        if not isinstance(data, list) or len(data) > MAX_FUNCTIONS:
            raise serializers.ValidationError(
                f"This must be a list of at most {MAX_FUNCTIONS} functions.", code="invalid_type"
            )
        tools = tuple(self._tool(tool, place) for place, tool in enumerate(data))
        names = [tool["function"]["name"] for tool in tools]
        if len(set(names)) < len(names):
            raise serializers.ValidationError(
                "Two functions have the same name.", code="invalid_name"
            )
        chars = len(json.dumps(tools, ensure_ascii=False))
        if chars > limits.MAX_TOOLS_CHARS:
            raise serializers.ValidationError(
                f"All functions together have {chars} characters;"
                f" {limits.MAX_TOOLS_CHARS} are allowed.",
                code="prompt_too_long",
            )
        return tools

    def to_representation(self, value: tuple[Mapping[str, Any], ...]) -> Any:
        """Return the functions as they are."""
        return list(value)

    def _tool(self, tool: Any, place: int) -> Mapping[str, Any]:
        match tool:
            case {"type": "function", "function": {"name": name, **rest}}:
                function = {"name": function_name(name)}
            case _:
                raise serializers.ValidationError(
                    "Every tool must be of the type function and have a function with a name.",
                    code="unsupported_value",
                )
        if rest.get("description") is not None:
            function["description"] = str(self.description.run_validation(rest["description"]))
        self.strict.run_validation(rest.get("strict"))
        parameters = rest.get("parameters")
        parameters = NO_PARAMETERS if parameters is None else parameters
        check_schema(parameters, param=f"tools[{place}].function.parameters")
        return {"type": "function", "function": {**function, "parameters": parameters}}


@extend_schema_field(
    {
        "nullable": True,
        "oneOf": [
            {"type": "string", "enum": ["none", "auto", "required"]},
            {
                "type": "object",
                "required": ["type", "function"],
                "properties": {
                    "type": {"type": "string", "enum": ["function"]},
                    "function": {
                        "type": "object",
                        "required": ["name"],
                        "properties": {"name": {"type": "string"}},
                    },
                },
            },
        ],
    }
)
class ToolChoiceField(serializers.Field[tuple[str, str], Any, Any, Any]):
    """Whether a function must be called, and which."""

    def to_internal_value(self, data: Any) -> tuple[str, str]:
        """Return the way, and the name of a function that must be called or ""."""
        match data:
            case "none" | "auto" | "required":
                return data, ""
            case {"type": "function", "function": {"name": name}}:
                return "required", function_name(name)
            case _:
                raise serializers.ValidationError(
                    "This must be none, auto, required, or an object of the type function with a"
                    " function that has a name.",
                    code="invalid_type",
                )

    def to_representation(self, value: tuple[str, str]) -> Any:
        """Return the choice as it is."""
        return value


@extend_schema_field(
    {
        "type": "array",
        "maxItems": MAX_FUNCTIONS,
        "nullable": True,
        "items": {
            "type": "object",
            "required": ["id", "type", "function"],
            "properties": {
                "id": {"type": "string", "maxLength": limits.MAX_CALL_ID_CHARS},
                "type": {"type": "string", "enum": ["function"]},
                "function": {
                    "type": "object",
                    "required": ["name", "arguments"],
                    "properties": {"name": {"type": "string"}, "arguments": {"type": "string"}},
                },
            },
        },
    }
)
class ToolCallsField(serializers.Field[tuple[ToolCall, ...], Any, Any, Any]):
    """Calls an assistant made earlier."""

    call_id = TextField(max_length=limits.MAX_CALL_ID_CHARS)
    arguments = TextField(allow_blank=True, max_length=limits.MAX_PROMPT_CHARS)

    def to_internal_value(self, data: Any) -> tuple[ToolCall, ...]:
        """Return the calls in the order they came."""
        if not isinstance(data, list) or len(data) > MAX_FUNCTIONS:
            raise serializers.ValidationError(
                f"This must be a list of at most {MAX_FUNCTIONS} calls.", code="invalid_type"
            )
        return tuple(map(self._call, data))

    def to_representation(self, value: tuple[ToolCall, ...]) -> Any:
        """Return the calls as plain data."""
        return [call.as_dict() for call in value]

    def _call(self, call: Any) -> ToolCall:
        match call:
            case {"type": "function", "id": call_id, "function": {"name": name, "arguments": said}}:
                return ToolCall(
                    str(self.call_id.run_validation(call_id)),
                    function_name(name),
                    str(self.arguments.run_validation(said)),
                )
        raise serializers.ValidationError(
            "Every call must have an id, the type function, and a function with name and"
            " arguments.",
            code="invalid_type",
        )


def tool_use_of(given: Mapping[str, Any]) -> ToolUse | None:
    """Return how functions may be called; None where none may be.

    Raises:
        ValidationError: a function must be called that nobody offers.
    """
    tools = given.get("tools", ())
    way, name = given.get("tool_choice", ("auto", ""))
    names = [tool["function"]["name"] for tool in tools]
    if way == "required" and (not tools or (name and name not in names)):
        raise serializers.ValidationError(
            {"tool_choice": "This asks for a function that is not among the tools."},
            code="invalid_value",
        )
    if not tools or way == "none":
        return None
    return ToolUse(tools, way == "required", name, given.get("parallel_tool_calls", True))
