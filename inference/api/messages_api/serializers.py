"""What a request in Anthropic's protocol may say, checked and handed over as an order."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from inference.api import limits
from inference.api.fields import FlagField, NumberField, RawField, TextField, WholeNumberField
from inference.api.functions import checked_use, function_tool, refused
from inference.api.messages_api.blocks import read_conversation
from inference.api.sampling import sampling_params
from inference.api.text_fields import StopField
from inference.generation import GenerationRequest, SamplingParams
from inference.grammars import MAX_FUNCTIONS
from inference.messages import Message
from inference.tools.use import ToolUse

# What each field may hold without changing the answer; any other value is refused by name.
NEUTRAL: dict[str, tuple[Any, ...]] = {
    "thinking": ({"type": "disabled"},),
    "container": (),
    "mcp_servers": ([],),
    "context_management": ({}, {"edits": []}),
    "output_config": ({},),
    "output_format": (),
}
IGNORED = frozenset({"metadata", "service_tier", "inference_geo", "cache_control", "speed"})
WAYS = {"auto": "auto", "any": "required", "tool": "required", "none": "none"}


CONTENT_SCHEMA: dict[str, Any] = {
    "oneOf": [
        {"type": "string"},
        {
            "type": "array",
            "maxItems": limits.MAX_CONTENT_PARTS,
            "items": {
                "type": "object",
                "required": ["type"],
                "properties": {"type": {"type": "string"}},
            },
        },
    ]
}


@extend_schema_field(
    {
        "type": "array",
        "minItems": 1,
        "maxItems": limits.MAX_MESSAGES,
        "items": {
            "type": "object",
            "required": ["role", "content"],
            "properties": {
                "role": {"type": "string", "enum": ["user", "assistant"]},
                "content": CONTENT_SCHEMA,
            },
        },
    }
)
class TurnsField(RawField):
    """The conversation."""


@extend_schema_field({"nullable": True, **CONTENT_SCHEMA})
class SystemField(RawField):
    """What the system says: a string, or blocks of text."""


@extend_schema_field(
    {
        "type": "array",
        "nullable": True,
        "maxItems": MAX_FUNCTIONS,
        "items": {
            "type": "object",
            "required": ["name", "input_schema"],
            "properties": {
                "type": {"type": "string", "enum": ["custom"]},
                "name": {"type": "string", "pattern": "^[A-Za-z0-9_.-]{1,64}$"},
                "description": {"type": "string"},
                "input_schema": {"type": "object"},
            },
        },
    }
)
class ToolsField(RawField):
    """Functions the model may call."""


@extend_schema_field(
    {
        "type": "object",
        "nullable": True,
        "required": ["type"],
        "properties": {
            "type": {"type": "string", "enum": sorted(WAYS)},
            "name": {"type": "string"},
            "disable_parallel_tool_use": {"type": "boolean"},
        },
    }
)
class ToolChoiceField(RawField):
    """Whether a function must be called, and which."""


@dataclass(frozen=True, slots=True)
class MessageOrder:
    """One answer in Anthropic's protocol.

    Attributes:
        model: name of the model to ask.
        messages: the conversation, the system's text first.
        params: how to sample.
        tool_use: the functions that may be called; None for none.
        is_streamed: whether the answer comes as events while it grows.
    """

    model: str
    messages: tuple[Message, ...]
    params: SamplingParams
    tool_use: ToolUse | None = None
    is_streamed: bool = False

    def request(self) -> GenerationRequest:
        """Return what a model is asked, but for functions."""
        return GenerationRequest(model=self.model, messages=self.messages, params=self.params)


class CountMessageTokensSerializer(serializers.Serializer[Any]):
    """The body of `POST /v1/messages/count_tokens`; its validated data is a `MessageOrder`."""

    model = TextField(max_length=limits.MAX_MODEL_NAME_CHARS)
    messages = TurnsField()
    system = SystemField(required=False, allow_null=True)
    tools = ToolsField(required=False, allow_null=True)
    tool_choice = ToolChoiceField(required=False, allow_null=True)

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

    def validate(self, attrs: Any) -> MessageOrder:
        """Return the order, every absent or null field at its default."""
        given = {name: value for name, value in attrs.items() if value is not None}
        way, name, is_parallel = choice_of(given.get("tool_choice", {"type": "auto"}))
        tools = tools_of(given.get("tools", []))
        stop = given.get("stop_sequences", ())
        return MessageOrder(
            model=given["model"],
            messages=read_conversation(given.get("system"), given["messages"]),
            params=sampling_params(given | {"stop": stop}),
            tool_use=checked_use(tools, way, name, is_parallel=is_parallel),
            is_streamed=given.get("stream", False),
        )


class CreateMessageSerializer(CountMessageTokensSerializer):
    """The body of `POST /v1/messages`; its validated data is a `MessageOrder`."""

    max_tokens = WholeNumberField("max_tokens", required=True, allow_null=False)
    temperature = NumberField("temperature")
    top_p = NumberField("top_p")
    top_k = WholeNumberField("top_k")
    stop_sequences = StopField(required=False, allow_null=True)
    stream = FlagField()


def tools_of(data: Any) -> list[dict[str, Any]]:
    """Return the functions among tools, and there must be nothing else.

    Raises:
        ValidationError: a tool is malformed or the server's own.
    """
    if not isinstance(data, list) or len(data) > MAX_FUNCTIONS:
        raise refused("tools", f"This must be a list of at most {MAX_FUNCTIONS}.", "invalid_type")
    for place, tool in enumerate(data):
        if not isinstance(tool, Mapping) or tool.get("type") not in (None, "custom"):
            raise refused(
                f"tools[{place}]",
                "This server has no tools of its own, only functions with an input_schema.",
                "unsupported_value",
            )
    return [function_tool(tool, schema_name="input_schema") for tool in data]


def choice_of(data: Any) -> tuple[str, str, bool]:
    """Return what is said about calls: the way, the name of a function or "", many or one.

    Raises:
        ValidationError: it is none of the known forms.
    """
    kind = data.get("type") if isinstance(data, Mapping) else None
    name = data.get("name", "") if kind == "tool" else ""
    if not isinstance(kind, str) or kind not in WAYS or not isinstance(name, str):
        raise refused(
            "tool_choice",
            "This must be of the type auto, any, none, or tool with a name.",
            "unsupported_value",
        )
    return WAYS[kind], name, not data.get("disable_parallel_tool_use", False)
