"""What a request for a response may say, checked and handed over as an order."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from rest_framework import serializers

from inference.api import limits
from inference.api.fields import FlagField, NumberField, TextField, WholeNumberField
from inference.api.functions import checked_use, function_tool, refused
from inference.api.responses.fields import InputField, MetadataField, ToolChoiceField, ToolsField
from inference.api.responses.items import read_items
from inference.api.responses.orders import ResponseOrder
from inference.api.responses.text_format import TextSerializer
from inference.api.sampling import sampling_params
from inference.api.text_fields import StopField
from inference.grammars import MAX_FUNCTIONS

LOGPROBS = "message.output_text.logprobs"
INCLUDED = (LOGPROBS, "reasoning.encrypted_content")

# What each field may hold without changing the answer; any other value is refused by name.
NEUTRAL: dict[str, tuple[Any, ...]] = {
    "background": (False,),
    "conversation": (),
    "prompt": (),
    "context_management": ([],),
    "truncation": ("disabled",),
    "reasoning": ({}, {"effort": "none"}, {"effort": None}),
    "moderation": (),
}
# They concern OpenAI's own house, built-in tools, or help where they can.
IGNORED = frozenset(
    {
        "service_tier",
        "safety_identifier",
        "prompt_cache_key",
        "prompt_cache_retention",
        "prompt_cache_options",
        "max_tool_calls",
        "stream_options",
    }
)


class ResponseSerializer(serializers.Serializer[Any]):
    """The body of `POST /v1/responses`; its validated data is a `ResponseOrder`."""

    model = TextField(max_length=limits.MAX_MODEL_NAME_CHARS)
    input = InputField()
    instructions = TextField(
        required=False, allow_null=True, allow_blank=True, max_length=limits.MAX_PROMPT_CHARS
    )
    max_output_tokens = WholeNumberField("max_tokens")
    temperature = NumberField("temperature")
    top_p = NumberField("top_p")
    top_k = WholeNumberField("top_k", help_text="0 and -1 keep every token.")
    min_p = NumberField("min_p")
    presence_penalty = NumberField("presence_penalty")
    frequency_penalty = NumberField("frequency_penalty")
    repetition_penalty = NumberField("repetition_penalty")
    seed = WholeNumberField("seed")
    stop = StopField(required=False, allow_null=True)
    top_logprobs = WholeNumberField("top_logprobs")
    include = serializers.ListField(
        child=serializers.ChoiceField(choices=INCLUDED),
        required=False,
        allow_null=True,
        max_length=len(INCLUDED),
    )
    text = TextSerializer(required=False, allow_null=True)
    tools = ToolsField(required=False, allow_null=True)
    tool_choice = ToolChoiceField(required=False, allow_null=True)
    parallel_tool_calls = FlagField()
    stream = FlagField()
    store = FlagField(help_text="Whether a later request may continue this response.")
    previous_response_id = TextField(
        required=False, allow_null=True, max_length=limits.MAX_RESPONSE_ID_CHARS
    )
    metadata = MetadataField(required=False, allow_null=True)
    user = TextField(
        required=False, allow_null=True, allow_blank=True, max_length=limits.MAX_USER_CHARS
    )

    def to_internal_value(self, data: Any) -> Any:
        """Refuse by name what is unknown or cannot be done, then check the rest."""
        if isinstance(data, Mapping):
            for name, value in data.items():
                if name in NEUTRAL:
                    if value is not None and value not in NEUTRAL[name]:
                        raise refused(
                            name, "This server does not support it.", "unsupported_parameter"
                        )
                elif name not in self.fields and name not in IGNORED:
                    raise refused(name[:64], "There is no such field.", "unknown_parameter")
        return super().to_internal_value(data)

    def validate(self, attrs: Any) -> ResponseOrder:
        """Return the order, every absent or null field at its default."""
        given = {name: value for name, value in attrs.items() if value is not None}
        use = checked_use(
            tools_of(given.get("tools", [])),
            *choice_of(given.get("tool_choice", "auto")),
            is_parallel=given.get("parallel_tool_calls", True),
        )
        text = given.get("text", {})
        grammar = text.get("format", {}).get("grammar")
        if grammar is not None and use is not None:
            raise refused(
                "text", "A format can be held to only with tool_choice none.", "invalid_combination"
            )
        params = sampling_params(
            given | {"max_tokens": given.get("max_output_tokens"), "response_format": grammar}
        )
        if LOGPROBS in given.get("include", ()) or "top_logprobs" in given:
            params = replace(params, logprobs=given.get("top_logprobs", 0))
        return ResponseOrder(
            model=given["model"],
            items=items_of(given["input"]),
            messages=read_items(given["input"]),
            params=params,
            instructions=given.get("instructions"),
            tool_use=use,
            told=self._told(given),
            is_streamed=given.get("stream", False),
            is_stored=given.get("store"),
            previous_id=given.get("previous_response_id"),
        )

    def _told(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Return what the answer repeats."""
        text = given.get("text", {})
        return {
            "instructions": given.get("instructions"),
            "max_output_tokens": given.get("max_output_tokens"),
            "metadata": given.get("metadata", {}),
            "parallel_tool_calls": given.get("parallel_tool_calls", True),
            "previous_response_id": given.get("previous_response_id"),
            "text": {"format": text.get("format", {}).get("told", {"type": "text"})},
            "tool_choice": given.get("tool_choice", "auto"),
            "tools": [
                {"parameters": None, "strict": None, **tool} for tool in given.get("tools", [])
            ],
            "top_logprobs": given.get("top_logprobs", 0),
            "user": given.get("user"),
        }


def items_of(data: Any) -> Any:
    """Return an input as items."""
    return [{"role": "user", "content": data}] if isinstance(data, str) else data


def tools_of(data: Any) -> list[dict[str, Any]]:
    """Return the functions among tools, and there must be nothing else.

    Raises:
        ValidationError: a tool is malformed or built-in.
    """
    if not isinstance(data, list) or len(data) > MAX_FUNCTIONS:
        raise refused("tools", f"This must be a list of at most {MAX_FUNCTIONS}.", "invalid_type")
    functions = []
    for place, tool in enumerate(data):
        kind = tool.get("type") if isinstance(tool, Mapping) else None
        if kind != "function":
            raise refused(
                f"tools[{place}]",
                f"This server has no built-in tools such as {str(kind)[:64]!r}, only functions.",
                "unsupported_value",
            )
        functions.append(function_tool(tool))
    return functions


def choice_of(data: Any) -> tuple[str, str]:
    """Return what is said about calls: the way, and the name of a function or "".

    Raises:
        ValidationError: it is none of the known forms.
    """
    match data:
        case "none" | "auto" | "required":
            return data, ""
        case {"type": "function", "name": str(name)}:
            return "required", name
        case _:
            raise refused(
                "tool_choice",
                "This must be none, auto, required, or a function with its name.",
                "unsupported_value",
            )
