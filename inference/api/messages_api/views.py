"""`/v1/messages`."""

from typing import cast

from django.http import HttpResponseBase, JsonResponse
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request

from inference import client
from inference.api import schema
from inference.api.base import ModelView
from inference.api.choices import Choices
from inference.api.errors import Problem
from inference.api.functions import with_functions
from inference.api.messages_api.errors import error_body
from inference.api.messages_api.narrator import MessageNarrator
from inference.api.messages_api.schema import (
    MessageErrorBody,
    MessageObject,
    MessageTokensObject,
)
from inference.api.messages_api.serializers import (
    CountMessageTokensSerializer,
    CreateMessageSerializer,
    MessageOrder,
)
from inference.api.narration import narrated, tell_whole
from inference.requests import TokensRequest
from inference.tools.writing import as_plain_talk

EXAMPLE_TURN = {"role": "user", "content": "What is a fable?"}


class MessageView(ModelView):
    """Base of the views that speak Anthropic's protocol: its errors have an envelope of its own."""

    scope = "chat"

    def refusal(self, problem: Problem) -> HttpResponseBase:
        """Return the answer that carries a problem."""
        return JsonResponse(
            error_body(problem), status=problem.status, headers=dict(problem.headers)
        )


class Messages(MessageView):
    """Answers a conversation, whole or as a stream of events."""

    serializer_class = CreateMessageSerializer

    @extend_schema(
        operation_id="createMessage",
        request=CreateMessageSerializer,
        responses=schema.answers(MessageObject, takes_body=True, error=MessageErrorBody)
        | schema.EVENTS,
        examples=[
            schema.example("A question", model="demo-large", max_tokens=64, messages=[EXAMPLE_TURN])
        ],
    )
    async def post(self, request: Request) -> HttpResponseBase:
        """Answer a conversation in Anthropic's protocol.

        With `stream` the answer comes as named server-sent events, from `message_start` to
        `message_stop`.
        """
        order = cast("MessageOrder", request.order)  # type: ignore[attr-defined]  # set by admit
        wanted, parser = await with_functions(order.request(), order.tool_use)
        narrator, choices = MessageNarrator(order.model, parser), Choices([wanted])
        if order.is_streamed:
            return await narrated(choices, narrator, subject=self.subject)
        await tell_whole(choices, narrator)
        return JsonResponse(narrator.message)


class MessageTokens(MessageView):
    """Counts the tokens of a conversation."""

    scope = "tokens"
    serializer_class = CountMessageTokensSerializer

    @extend_schema(
        operation_id="countMessageTokens",
        request=CountMessageTokensSerializer,
        responses=schema.answers(MessageTokensObject, takes_body=True, error=MessageErrorBody),
    )
    async def post(self, request: Request) -> HttpResponseBase:
        """Count the tokens a model would read; functions count as the text that explains them."""
        order = cast("MessageOrder", request.order)  # type: ignore[attr-defined]  # set by admit
        messages = order.messages
        if order.tool_use is not None:
            messages = tuple(as_plain_talk(messages, order.tool_use.tools))
        counted = await client.tokenize(TokensRequest(order.model, messages=messages))
        return JsonResponse({"input_tokens": len(counted.tokens)})
