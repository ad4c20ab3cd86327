"""What a chat completion request may say, checked field by field and handed over as an order."""

from collections.abc import Mapping
from typing import Any

from rest_framework import serializers

from inference.api import limits
from inference.api.fields import FlagField, NumberField, TextField, WholeNumberField
from inference.api.orders import ChatOrder
from inference.api.text_fields import ContentField, StopField
from inference.api.unsupported import first_unsupported
from inference.conf import inference_settings
from inference.generation import SamplingParams
from inference.messages import Message, Role, images_of

# "developer" is what newer OpenAI models call the system message.
ROLES = {
    "system": Role.SYSTEM,
    "developer": Role.SYSTEM,
    "user": Role.USER,
    "assistant": Role.ASSISTANT,
}
SAMPLING_FIELDS = (
    "temperature",
    "top_p",
    "min_p",
    "repetition_penalty",
    "presence_penalty",
    "frequency_penalty",
    "seed",
    "ignore_eos",
)


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


class StreamOptionsSerializer(serializers.Serializer[Any]):
    """How a stream is told."""

    include_usage = FlagField()


class ChatCompletionSerializer(serializers.Serializer[ChatOrder]):
    """The body of `POST /v1/chat/completions`; its validated data is a `ChatOrder`."""

    model = TextField(max_length=limits.MAX_MODEL_NAME_CHARS)
    messages = MessageSerializer(  # type: ignore[call-arg]  # max_length is the list's
        many=True, allow_empty=False, max_length=limits.MAX_MESSAGES
    )
    temperature = NumberField("temperature")
    top_p = NumberField("top_p")
    top_k = WholeNumberField("top_k", help_text="0 and -1 keep every token.")
    min_p = NumberField("min_p")
    max_tokens = WholeNumberField("max_tokens")
    max_completion_tokens = WholeNumberField("max_completion_tokens")
    stop = StopField(required=False, allow_null=True)
    stop_token_ids = serializers.ListField(
        child=WholeNumberField("stop_token_id", required=True, allow_null=False),
        required=False,
        allow_null=True,
        max_length=limits.MAX_STOP_TOKEN_IDS,
    )
    repetition_penalty = NumberField("repetition_penalty")
    presence_penalty = NumberField("presence_penalty")
    frequency_penalty = NumberField("frequency_penalty")
    seed = WholeNumberField("seed", help_text="The answer with index i is drawn with seed + i.")
    ignore_eos = FlagField()
    n = WholeNumberField("n")
    stream = FlagField()
    stream_options = StreamOptionsSerializer(required=False, allow_null=True)
    user = TextField(
        required=False, allow_null=True, allow_blank=True, max_length=limits.MAX_USER_CHARS
    )

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
        given = {name: value for name, value in attrs.items() if value is not None}
        if "stream_options" in given and not given.get("stream"):
            raise serializers.ValidationError(
                {"stream_options": "This is allowed only when stream is true."}
            )
        return ChatOrder(
            model=given["model"],
            messages=tuple(given["messages"]),
            params=sampling_params(given),
            choice_count=given.get("n", 1),
            is_streamed=given.get("stream", False),
            includes_usage=bool(given.get("stream_options", {}).get("include_usage")),
        )


def sampling_params(given: Mapping[str, Any]) -> SamplingParams:
    """Return the sampling parameters among validated fields; what is absent has its default.

    Raises:
        ValidationError: the two names of the token limit contradict each other.
    """
    names = ("max_tokens", "max_completion_tokens")
    token_limits = {given[name] for name in names if name in given}
    if len(token_limits) > 1:
        raise serializers.ValidationError(
            {"max_tokens": "This contradicts max_completion_tokens; send one of them."}
        )
    return SamplingParams(
        **{name: given[name] for name in SAMPLING_FIELDS if name in given},
        top_k=max(0, given.get("top_k", 0)),
        max_tokens=next(iter(token_limits), None),
        stop=given.get("stop", ()),
        stop_token_ids=tuple(given.get("stop_token_ids", ())),
    )
