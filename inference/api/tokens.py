"""`POST /tokenize`, `POST /detokenize`, `POST /api/v1/token_check`: what models' tokenizers do."""

import asyncio
from typing import Any, cast

from django.http import HttpResponseBase, JsonResponse
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request

from inference import client, selectors
from inference.api import schema
from inference.api.authentication import check_models
from inference.api.base import ApiView, ModelView
from inference.api.limits import CHOICES_AT_ONCE
from inference.api.token_serializers import (
    DetokenizeSerializer,
    TokenCheck,
    TokenChecksSerializer,
    TokenizeSerializer,
    TokensOrder,
)
from inference.exceptions import ModelNotFoundError


class Tokenize(ModelView):
    """Cuts a text or a conversation into a model's tokens."""

    scope = "tokens"
    serializer_class = TokenizeSerializer

    @extend_schema(
        operation_id="tokenize",
        request=TokenizeSerializer,
        responses=schema.answers(schema.TokensObject, takes_body=True),
        examples=[schema.example("A text", model="demo-large", prompt="Good day")],
    )
    async def post(self, request: Request) -> HttpResponseBase:
        """Tell the tokens of a text, or of a conversation as the model reads it."""
        order = cast("TokensOrder", request.order)  # type: ignore[attr-defined]  # set by admit
        found = await client.tokenize(order.request)
        told = {
            "count": len(found.tokens),
            "max_model_len": found.context_length,
            "tokens": found.tokens,
            "token_strs": found.texts if order.has_texts else None,
        }
        return JsonResponse(told)


class Detokenize(ModelView):
    """Writes out a model's tokens."""

    scope = "tokens"
    serializer_class = DetokenizeSerializer

    @extend_schema(
        operation_id="detokenize",
        request=DetokenizeSerializer,
        responses=schema.answers(schema.PromptObject, takes_body=True),
    )
    async def post(self, request: Request) -> HttpResponseBase:
        """Tell the text of tokens."""
        order = cast("TokensOrder", request.order)  # type: ignore[attr-defined]  # set by admit
        return JsonResponse({"prompt": (await client.tokenize(order.request)).text})


class TokenChecks(ApiView):
    """Tells whether prompts fit into their models' windows."""

    scope = "tokens"
    serializer_class = TokenChecksSerializer

    def check_order(self, request: Request) -> None:
        """Keep models that are not listed out of reach.

        Raises:
            ModelNotAllowed: the caller's key may use other models.
            ModelNotFoundError: the card of one takes it out of the lists.
        """
        models = sorted({check.request.model for check in checks_of(request)})
        check_models(request, models)
        for model in models:
            if selectors.is_hidden(model):
                raise ModelNotFoundError(model)

    @extend_schema(
        operation_id="checkTokens",
        request=TokenChecksSerializer,
        responses=schema.answers(schema.TokenChecksObject, takes_body=True),
    )
    async def post(self, request: Request) -> HttpResponseBase:
        """Count the tokens of prompts and say whether their answers fit behind them."""
        turns = asyncio.Semaphore(CHOICES_AT_ONCE)

        async def checked(check: TokenCheck) -> dict[str, Any]:
            async with turns:
                found = await client.tokenize(check.request)
            return {
                "fits": len(found.tokens) + check.max_tokens <= found.context_length,
                "tokenCount": len(found.tokens),
                "contextLength": found.context_length,
            }

        told = await asyncio.gather(*map(checked, checks_of(request)))
        return JsonResponse({"prompts": told})


def checks_of(request: Request) -> list[TokenCheck]:
    """Return the checks that a request asks for; none where its body was not read."""
    return cast("list[TokenCheck]", getattr(request, "order", []))
