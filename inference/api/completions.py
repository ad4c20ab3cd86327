"""`POST /v1/completions`."""

import asyncio
from collections.abc import Sequence
from typing import cast

from django.http import HttpResponseBase, JsonResponse
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request

from inference import client
from inference.api import schema
from inference.api.base import ModelView
from inference.api.choices import Choices
from inference.api.completion_serializers import CompletionSerializer
from inference.api.orders import TextOrder
from inference.api.prompt_fields import Prompt
from inference.api.sse import event_response
from inference.api.telling import whole_answers
from inference.api.text_answers import TextTeller
from inference.requests import TokensRequest


class Completions(ModelView):
    """Continues raw prompts, whole or as a stream of events."""

    scope = "completions"
    serializer_class = CompletionSerializer
    subject = "prompt"

    @extend_schema(
        operation_id="createCompletion",
        request=CompletionSerializer,
        responses=schema.answers(schema.TextCompletionObject, takes_body=True) | schema.EVENTS,
        examples=[
            schema.example("A prompt", model="demo-large", prompt="Once upon a time", max_tokens=32)
        ],
    )
    async def post(self, request: Request) -> HttpResponseBase:
        """Continue prompts.

        With `stream` the texts come as server-sent events that end with `[DONE]`.
        """
        order = cast("TextOrder", request.order)  # type: ignore[attr-defined]  # set by admit
        echoes = await texts_of(order.model, order.prompts) if order.is_echoed else []
        teller, requests = TextTeller(order, echoes), order.requests()
        choices = Choices(requests)
        if order.is_streamed:
            return await event_response(
                choices, teller, includes_usage=order.includes_usage, subject=self.subject
            )
        return JsonResponse(teller.whole(await whole_answers(choices, len(requests))))


async def texts_of(model: str, prompts: Sequence[Prompt]) -> list[str]:
    """Return the prompts as text; the model's tokenizer writes out tokens.

    Raises:
        InferenceError: the model cannot be asked.
    """

    async def text_of(prompt: Prompt) -> str:
        if isinstance(prompt, str):
            return prompt
        return (await client.tokenize(TokensRequest(model, tokens=prompt))).text

    return await asyncio.gather(*map(text_of, prompts))
