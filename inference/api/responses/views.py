"""`/v1/responses`."""

from dataclasses import replace
from functools import partial
from http import HTTPStatus
from typing import Any, cast

from asgiref.sync import sync_to_async
from django.http import HttpResponseBase, JsonResponse
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request

from inference.api import schema
from inference.api.base import ApiView, ModelView
from inference.api.choices import Choices
from inference.api.functions import refused, with_functions
from inference.api.narration import narrated, tell_whole
from inference.api.responses.items import joined
from inference.api.responses.narrator import ResponseNarrator
from inference.api.responses.orders import ResponseOrder
from inference.api.responses.schema import DeletedResponseObject, ResponseObject
from inference.api.responses.serializers import ResponseSerializer
from inference.api.responses.store import (
    MAX_STORED_BYTES,
    StoredResponse,
    delete_response,
    owner_of,
    store_response,
    stored_response,
)


class Responses(ModelView):
    """Answers items with items, whole or as a stream of events."""

    scope = "responses"
    serializer_class = ResponseSerializer
    subject = "input"

    def check_order(self, request: Request) -> None:
        """Put what a previous response holds in front of the conversation.

        Raises:
            ResponseNotFoundError: the previous response is gone.
            ValidationError: the input does not continue it, or is too large to be kept.
        """
        super().check_order(request)
        order: ResponseOrder | None = getattr(request, "order", None)
        if order is None:
            return
        history: tuple[Any, ...] = ()
        if order.previous_id is not None:
            history = stored_response(order.previous_id, owner=owner_of(request)).messages
        order = replace(order, messages=joined(history, order.messages))
        size = len(StoredResponse("", {}, order.items, order.messages).packed())
        if order.is_stored is None:
            order = replace(order, is_stored=size <= MAX_STORED_BYTES // 2)
        elif order.is_stored and size > MAX_STORED_BYTES // 2:
            raise refused("store", "This conversation is too large to be kept; send store false.")
        request.order = order  # type: ignore[attr-defined]  # read in `post`

    @extend_schema(
        operation_id="createResponse",
        request=ResponseSerializer,
        responses=schema.answers(ResponseObject, takes_body=True) | schema.EVENTS,
        examples=[schema.example("A question", model="demo-large", input="What is a fable?")],
    )
    async def post(self, request: Request) -> HttpResponseBase:
        """Answer items.

        With `stream` the answer comes as named server-sent events, from `response.created` to
        `response.completed`.
        """
        order = cast("ResponseOrder", request.order)  # type: ignore[attr-defined]
        wanted, parser = await with_functions(order.request(), order.tool_use)
        narrator = ResponseNarrator(order, parser, is_stored=bool(order.is_stored))
        finish = partial(keep, order, narrator, owner=owner_of(request))
        choices = Choices([wanted])
        if order.is_streamed:
            return await narrated(choices, narrator, finish=finish)
        await tell_whole(choices, narrator)
        await finish()
        return JsonResponse(narrator.response)


class ResponseDetail(ApiView):
    """One response that is kept."""

    scope = "responses"
    http_method_names = ("get", "head", "delete")

    @extend_schema(operation_id="retrieveResponse", responses=schema.answers(ResponseObject))
    async def get(self, request: Request, response_id: str) -> HttpResponseBase:
        """Show a response that is kept."""
        if request.query_params.get("stream") == "true":
            raise refused("stream", "Only a response in the making is streamed.")
        find = sync_to_async(stored_response)
        stored = await find(response_id, owner=owner_of(request))
        return JsonResponse(dict(stored.response))

    @extend_schema(operation_id="deleteResponse", responses=schema.answers(DeletedResponseObject))
    async def delete(self, request: Request, response_id: str) -> HttpResponseBase:
        """Forget a response."""
        await sync_to_async(delete_response)(response_id, owner=owner_of(request))
        body = {"id": response_id, "object": "response", "deleted": True}
        return JsonResponse(body, status=HTTPStatus.OK)


async def keep(order: ResponseOrder, narrator: ResponseNarrator, *, owner: str) -> None:
    """Keep a response that was told to its end, if it is to be kept."""
    if order.is_stored:
        messages = (*order.messages, narrator.said())
        await store_response(StoredResponse(owner, narrator.response, order.items, messages))
