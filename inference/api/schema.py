"""The shapes of the API's answers, for its OpenAPI description alone."""

from http import HTTPStatus
from typing import Any

from drf_spectacular.utils import OpenApiExample, extend_schema_serializer
from rest_framework import serializers

FINISH_REASONS = ("stop", "length")


class ErrorDetail(serializers.Serializer[Any]):
    """What went wrong."""

    message = serializers.CharField(help_text="A sentence for people.")
    type = serializers.CharField(help_text="The kind of error.")
    param = serializers.CharField(allow_null=True, help_text="The field at fault.")
    code = serializers.CharField(allow_null=True, help_text="Stable, for programs.")


class ErrorBody(serializers.Serializer[Any]):
    """The body of every answer that is not a success, and of an event that ends a broken stream."""

    error = ErrorDetail()


class ModelObject(serializers.Serializer[Any]):
    """A model that can be asked now."""

    id = serializers.CharField()
    object = serializers.ChoiceField(choices=["model"])
    created = serializers.IntegerField(help_text="Seconds since 1970.")
    owned_by = serializers.CharField()
    context_length = serializers.IntegerField(required=False, help_text="In tokens.")
    modalities = serializers.ListField(
        child=serializers.ChoiceField(choices=["text", "image"]),
        required=False,
        help_text="What messages may hold.",
    )


@extend_schema_serializer(many=False)
class ModelListObject(serializers.Serializer[Any]):
    """All models that can be asked now."""

    object = serializers.ChoiceField(choices=["list"])
    data = ModelObject(many=True)  # type: ignore[assignment]  # the field's name is OpenAI's


class PromptTokensDetails(serializers.Serializer[Any]):
    """Where the tokens of the prompt came from."""

    cached_tokens = serializers.IntegerField(help_text="Found in the prefix cache.")


class CompletionUsage(serializers.Serializer[Any]):
    """Exact token counts: the shared prompt once, all answers together."""

    prompt_tokens = serializers.IntegerField()
    completion_tokens = serializers.IntegerField()
    total_tokens = serializers.IntegerField()
    prompt_tokens_details = PromptTokensDetails()


class AnswerMessage(serializers.Serializer[Any]):
    """What the model said."""

    role = serializers.ChoiceField(choices=["assistant"])
    content = serializers.CharField()
    refusal = serializers.CharField(allow_null=True)


class CompletionChoice(serializers.Serializer[Any]):
    """One answer."""

    index = serializers.IntegerField()
    message = AnswerMessage()
    logprobs = serializers.JSONField(allow_null=True)
    finish_reason = serializers.ChoiceField(choices=FINISH_REASONS)


class CompletionObject(serializers.Serializer[Any]):
    """A whole chat completion."""

    id = serializers.CharField()
    object = serializers.ChoiceField(choices=["chat.completion"])
    created = serializers.IntegerField(help_text="Seconds since 1970.")
    model = serializers.CharField()
    system_fingerprint = serializers.CharField()
    choices = CompletionChoice(many=True)
    usage = CompletionUsage()


class TextChoice(serializers.Serializer[Any]):
    """One continued prompt."""

    index = serializers.IntegerField()
    text = serializers.CharField()
    logprobs = serializers.JSONField(allow_null=True)
    finish_reason = serializers.ChoiceField(choices=FINISH_REASONS)


class TextCompletionObject(serializers.Serializer[Any]):
    """Whole raw completions."""

    id = serializers.CharField()
    object = serializers.ChoiceField(choices=["text_completion"])
    created = serializers.IntegerField(help_text="Seconds since 1970.")
    model = serializers.CharField()
    system_fingerprint = serializers.CharField()
    choices = TextChoice(many=True)
    usage = CompletionUsage()


def example(name: str, **body: Any) -> OpenApiExample:
    """Return a request for the documents page to begin with."""
    return OpenApiExample(name, value=body, request_only=True)


def answers(body: type[serializers.Serializer[Any]], *, takes_body: bool = False) -> dict[Any, Any]:
    """Return the statuses of a view with their bodies; `takes_body` adds what a body can cause."""
    statuses = [
        HTTPStatus.UNAUTHORIZED,
        HTTPStatus.NOT_FOUND,
        HTTPStatus.TOO_MANY_REQUESTS,
        HTTPStatus.INTERNAL_SERVER_ERROR,
        HTTPStatus.SERVICE_UNAVAILABLE,
    ]
    if takes_body:
        statuses += [
            HTTPStatus.BAD_REQUEST,
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
        ]
    errors = {(status.value, "application/json"): ErrorBody for status in sorted(statuses)}
    return {(HTTPStatus.OK.value, "application/json"): body, **errors}
