"""`POST /generate` and `POST /generate_stream`: the protocol of Text Generation Inference."""

from dataclasses import replace
from http import HTTPStatus
from typing import Any, cast

from asgiref.sync import async_to_sync
from django.http import HttpResponseBase, JsonResponse
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request

from inference.api import schema
from inference.api.base import ModelView
from inference.api.choices import Choices
from inference.api.errors import Problem
from inference.api.generate_answers import GenerateNarrator, error_body
from inference.api.generate_serializers import GenerateOrder, GenerateSerializer
from inference.api.model_list import visible_models
from inference.api.narration import narrated, tell_whole
from inference.api.sse import event


class GenerateObject(serializers.Serializer[Any]):
    """A whole text."""

    generated_text = serializers.CharField()
    details = serializers.DictField(required=False, help_text="Why it ended, and its tokens.")


class GenerateErrorBody(serializers.Serializer[Any]):
    """The body of every answer that is not a success."""

    error = serializers.CharField(help_text="A sentence for people.")
    error_type = serializers.CharField(help_text="validation, overloaded or generation.")


class Generate(ModelView):
    """Continues a raw prompt; with `stream` as events."""

    scope = "completions"
    serializer_class = GenerateSerializer
    subject = "inputs"
    is_always_streamed = False

    def refusal(self, problem: Problem) -> HttpResponseBase:
        """Return the answer that carries a problem."""
        is_input = problem.status == HTTPStatus.BAD_REQUEST
        status = HTTPStatus.UNPROCESSABLE_ENTITY if is_input else problem.status
        return JsonResponse(error_body(problem), status=status, headers=dict(problem.headers))

    def body_of(self, request: Request) -> Any:
        """Return the body with the model that is served, where there is one and it names none."""
        body = cast("dict[str, Any]", request.data)
        if body.get("model") is not None:
            return body
        names = list(async_to_sync(visible_models)(request))
        named = {key: value for key, value in body.items() if key != "model"}
        return named | ({"model": names[0]} if len(names) == 1 else {})

    @extend_schema(
        operation_id="generateText",
        request=GenerateSerializer,
        responses=schema.answers(GenerateObject, takes_body=True, error=GenerateErrorBody)
        | schema.EVENTS
        | {(422, "application/json"): GenerateErrorBody},
        examples=[schema.example("A prompt", model="demo-large", inputs="Once upon a time")],
    )
    async def post(self, request: Request) -> HttpResponseBase:
        """Continue a raw prompt as Text Generation Inference does."""
        order = cast("GenerateOrder", request.order)  # type: ignore[attr-defined]  # set by admit
        is_streamed = order.is_streamed or self.is_always_streamed
        if is_streamed or order.has_details:
            order = replace(order, params=replace(order.params, logprobs=0))
        narrator, choices = GenerateNarrator(order), Choices([order.request()])
        if is_streamed:
            return await narrated(choices, narrator, encode=event, subject=self.subject)
        await tell_whole(choices, narrator)
        return JsonResponse(narrator.answer)


class GenerateStream(Generate):
    """Continues a raw prompt as events, one a token."""

    is_always_streamed = True

    @extend_schema(
        operation_id="generateTextStream",
        request=GenerateSerializer,
        responses=schema.answers(GenerateObject, takes_body=True, error=GenerateErrorBody)
        | schema.EVENTS
        | {(422, "application/json"): GenerateErrorBody},
    )
    async def post(self, request: Request) -> HttpResponseBase:
        """Continue a raw prompt as server-sent events; the last one has the whole text."""
        return await super().post(request)
