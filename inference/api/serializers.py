"""What a chat completion request may say, checked field by field and handed over as an order."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from rest_framework import serializers

from inference.api import limits
from inference.api.bounds import check_conversation
from inference.api.fields import FlagField, TextField, WholeNumberField
from inference.api.orders import ChatOrder
from inference.api.sampling import SamplingSerializer, given_of, sampling_params
from inference.api.text_fields import ContentField
from inference.api.tool_fields import ToolCallsField, ToolChoiceField, ToolsField, tool_use_of
from inference.api.unsupported import first_unsupported
from inference.chat_templates.options import ALLOWED, check_template_options
from inference.messages import Message, Role

# "developer" is what newer OpenAI models call the system message.
ROLES = {
    "system": Role.SYSTEM,
    "developer": Role.SYSTEM,
    "user": Role.USER,
    "assistant": Role.ASSISTANT,
    "tool": Role.TOOL,
}


class MessageSerializer(serializers.Serializer[Message]):
    """One message of the conversation."""

    role = serializers.ChoiceField(choices=sorted(ROLES))
    content = ContentField(required=False, allow_null=True)
    name = TextField(
        required=False, allow_null=True, allow_blank=True, max_length=limits.MAX_SPEAKER_CHARS
    )
    tool_calls = ToolCallsField(required=False, allow_null=True)
    tool_call_id = TextField(required=False, allow_null=True, max_length=limits.MAX_CALL_ID_CHARS)

    def to_internal_value(self, data: Any) -> Any:
        """Refuse by name what a message cannot carry, then check the rest."""
        if isinstance(data, Mapping):
            for name in ("function_call", "audio"):
                if data.get(name):
                    raise serializers.ValidationError(
                        {name: "This server does not support it."}, code="unsupported_parameter"
                    )
        return super().to_internal_value(data)

    def validate(self, attrs: Any) -> Message:
        """Return the message; only a user shows images, only an assistant calls."""
        role, calls = ROLES[attrs["role"]], attrs.get("tool_calls") or ()
        call_id = attrs.get("tool_call_id") or ""
        if attrs.get("content") is None and not calls:
            raise serializers.ValidationError({"content": "This field is required."}, "required")
        misplaced = {
            "tool_calls": bool(calls) and role is not Role.ASSISTANT,
            "tool_call_id": bool(call_id) != (role is Role.TOOL),
        }
        for name in (name for name, is_so in misplaced.items() if is_so):
            raise serializers.ValidationError(
                {name: "A message of the assistant calls, one of a tool names the call."},
                code="unsupported_value",
            )
        message = replace(
            Message.of_parts(role, attrs.get("content") or ()),
            tool_calls=calls,
            tool_call_id=call_id,
            name=attrs.get("name") or "",
        )
        if message.images and message.role is not Role.USER:
            raise serializers.ValidationError(
                {"content": "Only messages of the user can hold images."}, code="unsupported_value"
            )
        return message


class ChatCompletionSerializer(SamplingSerializer):
    """The body of `POST /v1/chat/completions`; its validated data is a `ChatOrder`."""

    messages = MessageSerializer(  # type: ignore[call-arg]  # max_length is the list's
        many=True, allow_empty=False, max_length=limits.MAX_MESSAGES
    )
    max_completion_tokens = WholeNumberField("max_completion_tokens")
    tools = ToolsField(required=False, allow_null=True)
    tool_choice = ToolChoiceField(required=False, allow_null=True)
    parallel_tool_calls = FlagField()
    chat_template_kwargs = serializers.DictField(
        required=False,
        allow_null=True,
        help_text=f"Options of the model's chat template: {', '.join(sorted(ALLOWED))}.",
    )
    logprobs = FlagField()
    top_logprobs = WholeNumberField("top_logprobs")

    def to_internal_value(self, data: Any) -> Any:
        """Refuse by name what would change the answer and cannot be done, then check the rest."""
        name = first_unsupported(data)
        if name is not None:
            raise serializers.ValidationError(
                {name: "This server does not support it."}, code="unsupported_parameter"
            )
        return super().to_internal_value(data)

    def validate(self, attrs: Any) -> ChatOrder:
        """Return the order, every absent or null field at its default."""
        given = given_of(attrs)
        check_conversation(given["messages"], param="messages")
        if given.get("top_logprobs") and not given.get("logprobs"):
            raise serializers.ValidationError(
                {"top_logprobs": "This is allowed only when logprobs is true."}
            )
        params, options = sampling_params(given), given.get("chat_template_kwargs", {})
        check_template_options(options)
        if given.get("logprobs"):
            params = replace(params, logprobs=given.get("top_logprobs", 0))
        return ChatOrder(
            model=given["model"],
            messages=tuple(given["messages"]),
            params=params,
            choice_count=given.get("n", 1),
            is_streamed=given.get("stream", False),
            includes_usage=bool(given.get("stream_options", {}).get("include_usage")),
            tool_use=tool_use_of(given),
            template_options=options,
        )
