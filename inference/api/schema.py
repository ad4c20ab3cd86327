"""The shapes of the API's answers, for its OpenAPI description alone."""

from http import HTTPStatus
from typing import Any

from drf_spectacular.utils import OpenApiExample, extend_schema_serializer
from rest_framework import serializers

FINISH_REASONS = ("stop", "length")
CHAT_FINISH_REASONS = (*FINISH_REASONS, "tool_calls")


class ErrorDetail(serializers.Serializer[Any]):
    """What went wrong."""

    message = serializers.CharField(help_text="A sentence for people.")
    type = serializers.CharField(help_text="The kind of error.")
    param = serializers.CharField(allow_null=True, help_text="The field at fault.")
    code = serializers.CharField(allow_null=True, help_text="Stable, for programs.")


class ErrorBody(serializers.Serializer[Any]):
    """The body of every answer that is not a success, and of an event that ends a broken stream."""

    error = ErrorDetail()


class EventObject(serializers.Serializer[Any]):
    """One server-sent event; OpenAPI before 3.2 describes a stream by what each event is."""

    event = serializers.CharField(required=False, help_text="Its kind, where the protocol has any.")
    data = serializers.CharField(  # type: ignore[assignment]  # the standard has this name
        help_text="JSON, or `[DONE]` at the end of OpenAI's streams."
    )


EVENTS = {(HTTPStatus.OK.value, "text/event-stream"): EventObject}
"""The other form of a success, where `stream` is true."""


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


class CalledFunction(serializers.Serializer[Any]):
    """A function and what it is called with."""

    name = serializers.CharField()
    arguments = serializers.CharField(help_text="A JSON object, as text.")


class AnswerToolCall(serializers.Serializer[Any]):
    """A call the model wants made."""

    id = serializers.CharField()
    type = serializers.ChoiceField(choices=["function"])
    function = CalledFunction()


class AnswerMessage(serializers.Serializer[Any]):
    """What the model said."""

    role = serializers.ChoiceField(choices=["assistant"])
    content = serializers.CharField(allow_null=True, help_text="Null where it only calls.")
    refusal = serializers.CharField(allow_null=True)
    tool_calls = AnswerToolCall(many=True, required=False)


class CompletionChoice(serializers.Serializer[Any]):
    """One answer."""

    index = serializers.IntegerField()
    message = AnswerMessage()
    logprobs = serializers.JSONField(allow_null=True)
    finish_reason = serializers.ChoiceField(choices=CHAT_FINISH_REASONS)


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


class EmbeddingUsage(serializers.Serializer[Any]):
    """Exact token counts."""

    prompt_tokens = serializers.IntegerField()
    total_tokens = serializers.IntegerField()


class EmbeddingObject(serializers.Serializer[Any]):
    """The vector of one text."""

    object = serializers.ChoiceField(choices=["embedding"])
    index = serializers.IntegerField()
    embedding = serializers.JSONField(help_text="Numbers, or base64 of little-endian float32.")


@extend_schema_serializer(many=False)
class EmbeddingListObject(serializers.Serializer[Any]):
    """The vectors of all texts."""

    object = serializers.CharField(help_text="Always `list`.")
    data = EmbeddingObject(many=True)  # type: ignore[assignment]  # the field's name is OpenAI's
    model = serializers.CharField()
    usage = EmbeddingUsage()


class TokensObject(serializers.Serializer[Any]):
    """The tokens of a text."""

    count = serializers.IntegerField()
    max_model_len = serializers.IntegerField(help_text="The window, in tokens.")
    tokens = serializers.ListField(child=serializers.IntegerField())
    token_strs = serializers.ListField(child=serializers.CharField(), allow_null=True)


class PromptObject(serializers.Serializer[Any]):
    """The text of tokens."""

    prompt = serializers.CharField()


class TokenCheckObject(serializers.Serializer[Any]):
    """Whether one prompt fits."""

    fits = serializers.BooleanField()
    tokenCount = serializers.IntegerField()  # noqa: N815  (FastChat's name)
    contextLength = serializers.IntegerField(help_text="In tokens.")  # noqa: N815


class TokenChecksObject(serializers.Serializer[Any]):
    """Whether the prompts fit, in their order."""

    prompts = TokenCheckObject(many=True)


def example(name: str, **body: Any) -> OpenApiExample:
    """Return a request for the documents page to begin with."""
    return OpenApiExample(name, value=body, request_only=True)


def answers(
    body: type[serializers.Serializer[Any]],
    *,
    takes_body: bool = False,
    error: type[serializers.Serializer[Any]] = ErrorBody,
) -> dict[Any, Any]:
    """Return the statuses of a view with their bodies; `takes_body` adds what a body can cause."""
    statuses = [
        HTTPStatus.UNAUTHORIZED,
        HTTPStatus.FORBIDDEN,
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
    errors = {(status.value, "application/json"): error for status in sorted(statuses)}
    return {(HTTPStatus.OK.value, "application/json"): body, **errors}
