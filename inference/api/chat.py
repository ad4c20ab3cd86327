"""`POST /v1/chat/completions`."""

import time
from typing import Any, cast

from django.http import HttpResponseBase, JsonResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request

from inference import selectors
from inference.api import answers, schema
from inference.api.answers import Answer, Heading
from inference.api.base import ApiView
from inference.api.choices import Choices
from inference.api.metrics import FIRST_DELTA_S, count_usage
from inference.api.orders import ChatOrder
from inference.api.serializers import ChatCompletionSerializer
from inference.api.sse import CompletionEvents, event_response
from inference.conf import inference_settings
from inference.exceptions import ModelNotFoundError
from inference.generation import Delta


class ChatCompletions(ApiView):
    """Answers a conversation, whole or as a stream of events."""

    serializer_class = ChatCompletionSerializer

    def check_order(self, request: Request) -> None:
        """Keep models that are not listed out of reach, as if they did not exist.

        Raises:
            ModelNotFoundError: the model's card takes it out of the lists.
        """
        order = order_of(request)
        if selectors.is_hidden(order.model):
            raise ModelNotFoundError(order.model)

    @extend_schema(
        operation_id="createChatCompletion",
        request=ChatCompletionSerializer,
        responses=schema.answers(schema.CompletionObject, takes_body=True)
        | {(200, "text/event-stream"): OpenApiTypes.STR},
    )
    async def post(self, request: Request) -> HttpResponseBase:
        """Answer a conversation.

        With `stream` the answer comes as server-sent events that end with `[DONE]`.
        """
        order = order_of(request)
        choices = Choices(order.requests())
        if order.is_streamed:
            return await _streamed(order, choices)
        try:
            return JsonResponse(await _whole(order, choices))
        finally:
            await choices.close()


def order_of(request: Request) -> ChatOrder:
    """Return the order that the checks left on the request."""
    return cast("ChatOrder", request.order)  # type: ignore[attr-defined]  # set by ApiView.admit


async def _streamed(order: ChatOrder, choices: Choices) -> HttpResponseBase:
    """Return the stream once its first piece is here, so that a refusal can be a real status."""
    ping_interval_s = inference_settings().api_ping_interval_s
    try:
        first = await _first_delta(choices, patience_s=ping_interval_s)
    except BaseException:
        await choices.close()
        raise
    return event_response(
        CompletionEvents(
            heading=Heading(order.model),
            order=order,
            choices=choices,
            first=first,
            ping_interval_s=ping_interval_s,
        )
    )


async def _whole(order: ChatOrder, choices: Choices) -> dict[str, Any]:
    """Return the completion when all its answers have ended."""
    texts: list[list[str]] = [[] for _ in range(order.choice_count)]
    endings: dict[int, Delta] = {}
    arrived = await _first_delta(choices, patience_s=None)
    while arrived is not None:
        index, delta = arrived
        texts[index].append(delta.text)
        if delta.is_last:
            endings[index] = delta
        arrived = await choices.next()
    count_usage(delta.usage for delta in endings.values() if delta.usage)
    return answers.completion(
        Heading(order.model),
        [
            Answer("".join(pieces), endings[index].finish_reason, endings[index].usage)
            for index, pieces in enumerate(texts)
        ],
    )


async def _first_delta(choices: Choices, *, patience_s: float | None) -> tuple[int, Delta] | None:
    """Return the first piece, or None when it takes longer than the caller can keep silent."""
    begun_s = time.monotonic()
    try:
        first = await choices.next(patience_s)
    except TimeoutError:
        return None
    FIRST_DELTA_S.observe(time.monotonic() - begun_s)
    return first
