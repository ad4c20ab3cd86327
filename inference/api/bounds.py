"""How much one conversation may hold, whichever protocol it comes by."""

from collections.abc import Sequence

from rest_framework import serializers

from inference.api import limits
from inference.conf import inference_settings
from inference.messages import Message, images_of


def check_conversation(messages: Sequence[Message], *, param: str) -> None:
    """Accept a conversation that is not too long.

    Raises:
        ValidationError: it has too many messages, characters or images; `param` is at fault.
    """
    chars = sum(len(message.content) for message in messages)
    chars += sum(len(call.arguments) for message in messages for call in message.tool_calls)
    counts = (
        (len(messages), limits.MAX_MESSAGES, "messages", "too_many_messages"),
        (chars, limits.MAX_PROMPT_CHARS, "characters", "prompt_too_long"),
        (
            len(images_of(messages)),
            inference_settings().images_per_request,
            "images",
            "too_many_images",
        ),
    )
    for count, most, what, code in counts:
        if count > most:
            raise serializers.ValidationError(
                {param: f"The conversation has {count} {what}; {most} are allowed."}, code=code
            )
