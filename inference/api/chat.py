"""`POST /v1/chat/completions`."""

from dataclasses import replace
from typing import cast

from django.http import HttpResponseBase, JsonResponse
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request

from inference import client
from inference.api import schema
from inference.api.answers import ChatTeller
from inference.api.base import ModelView
from inference.api.choices import Choices
from inference.api.orders import ChatOrder
from inference.api.serializers import ChatCompletionSerializer
from inference.api.sse import event_response
from inference.api.telling import whole_answers


class ChatCompletions(ModelView):
    """Answers a conversation, whole or as a stream of events."""

    scope = "chat"
    serializer_class = ChatCompletionSerializer

    @extend_schema(
        operation_id="createChatCompletion",
        request=ChatCompletionSerializer,
        responses=schema.answers(schema.CompletionObject, takes_body=True) | schema.EVENTS,
    )
    async def post(self, request: Request) -> HttpResponseBase:
        """Answer a conversation.

        With `stream` the answer comes as server-sent events that end with `[DONE]`.
        """
        order = order_of(request)
        if order.tool_use is not None:
            form = order.tool_use.form_of(await client.tool_format_of(order.model))
            order = replace(order, tool_format=form)
        choices, teller = Choices(order.requests()), ChatTeller(order)
        if order.is_streamed:
            return await event_response(choices, teller, includes_usage=order.includes_usage)
        return JsonResponse(teller.whole(await whole_answers(choices, order.choice_count)))


def order_of(request: Request) -> ChatOrder:
    """Return the order that the checks left on the request."""
    return cast("ChatOrder", request.order)  # type: ignore[attr-defined]  # set by ApiView.admit
