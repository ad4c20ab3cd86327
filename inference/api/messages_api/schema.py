"""The shapes of Anthropic's protocol, for the OpenAPI description alone."""

from typing import Any

from rest_framework import serializers

STOP_REASONS = ("end_turn", "max_tokens", "tool_use")


class MessageUsage(serializers.Serializer[Any]):
    """Exact token counts."""

    input_tokens = serializers.IntegerField(help_text="Without those found in the cache.")
    cache_creation_input_tokens = serializers.IntegerField()
    cache_read_input_tokens = serializers.IntegerField(help_text="Found in the prefix cache.")
    output_tokens = serializers.IntegerField()


class MessageObject(serializers.Serializer[Any]):
    """A whole answer."""

    id = serializers.CharField()
    type = serializers.CharField(help_text="`message`.")
    role = serializers.CharField(help_text="`assistant`.")
    model = serializers.CharField()
    content = serializers.ListField(child=serializers.DictField())
    stop_reason = serializers.ChoiceField(choices=STOP_REASONS)
    stop_sequence = serializers.CharField(allow_null=True)
    usage = MessageUsage()


class MessageTokensObject(serializers.Serializer[Any]):
    """How long a conversation is."""

    input_tokens = serializers.IntegerField()


class MessageErrorDetail(serializers.Serializer[Any]):
    """What went wrong."""

    type = serializers.CharField(help_text="The kind of error.")
    message = serializers.CharField(help_text="A sentence for people.")


class MessageErrorBody(serializers.Serializer[Any]):
    """The body of every answer that is not a success, and of an event that ends a stream."""

    type = serializers.CharField(help_text="`error`.")
    error = MessageErrorDetail()
