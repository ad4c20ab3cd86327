"""The shapes of responses, for the OpenAPI description alone."""

from typing import Any

from rest_framework import serializers


class ResponseObject(serializers.Serializer[Any]):
    """A response: items that answer items."""

    id = serializers.CharField()
    object = serializers.CharField(help_text="`response`.")
    created_at = serializers.IntegerField(help_text="Seconds since 1970.")
    status = serializers.ChoiceField(choices=["completed", "incomplete", "failed"])
    model = serializers.CharField()
    output = serializers.ListField(
        child=serializers.DictField(), help_text="Messages and calls of functions."
    )
    usage = serializers.DictField(help_text="Exact counts of tokens.")
    store = serializers.BooleanField(help_text="Whether a later request may continue it.")
    previous_response_id = serializers.CharField(allow_null=True)


class DeletedResponseObject(serializers.Serializer[Any]):
    """A response that is forgotten."""

    id = serializers.CharField()
    object = serializers.CharField(help_text="`response`.")
    deleted = serializers.BooleanField()
