"""What a chat completion request may say, checked field by field and handed over as an order."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from rest_framework import serializers

from inference.api import limits
from inference.api.fields import FlagField, WholeNumberField
from inference.api.orders import ChatOrder
from inference.api.sampling import SamplingSerializer, given_of, sampling_params
from inference.api.text_fields import ContentField
from inference.api.unsupported import first_unsupported
from inference.conf import inference_settings
from inference.messages import Message, Role, images_of

# "developer" is what newer OpenAI models call the system message.
ROLES = {
    "system": Role.SYSTEM,
    "developer": Role.SYSTEM,
    "user": Role.USER,
    "assistant": Role.ASSISTANT,
}


class MessageSerializer(serializers.Serializer[Message]):
    """One message of the conversation."""

    role = serializers.ChoiceField(choices=sorted(ROLES))
    content = ContentField()

    def to_internal_value(self, data: Any) -> Any:
        """Refuse what a message of tools carries, then check the rest."""
        if isinstance(data, Mapping):
            for name in ("tool_calls", "function_call", "audio"):
                if data.get(name):
                    raise serializers.ValidationError(
                        {name: "This server does not support it."}, code="unsupported_parameter"
                    )
        return super().to_internal_value(data)

    def validate(self, attrs: Any) -> Message:
        """Return the message; only a user shows images."""
        message = Message.of_parts(ROLES[attrs["role"]], attrs["content"])
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

    def validate_messages(self, messages: list[Message]) -> list[Message]:
        """Bound the prompt as a whole."""
        chars = sum(len(message.content) for message in messages)
        if chars > limits.MAX_PROMPT_CHARS:
            raise serializers.ValidationError(
                f"All messages together have {chars} characters;"
                f" {limits.MAX_PROMPT_CHARS} are allowed.",
                code="prompt_too_long",
            )
        images, most = len(images_of(messages)), inference_settings().images_per_request
        if images > most:
            raise serializers.ValidationError(
                f"All messages together have {images} images; {most} are allowed.",
                code="too_many_images",
            )
        return messages

    def validate(self, attrs: Any) -> ChatOrder:
        """Return the order, every absent or null field at its default."""
        given = given_of(attrs)
        if given.get("top_logprobs") and not given.get("logprobs"):
            raise serializers.ValidationError(
                {"top_logprobs": "This is allowed only when logprobs is true."}
            )
        params = sampling_params(given)
        if given.get("logprobs"):
            params = replace(params, logprobs=given.get("top_logprobs", 0))
        return ChatOrder(
            model=given["model"],
            messages=tuple(given["messages"]),
            params=params,
            choice_count=given.get("n", 1),
            is_streamed=given.get("stream", False),
            includes_usage=bool(given.get("stream_options", {}).get("include_usage")),
        )
