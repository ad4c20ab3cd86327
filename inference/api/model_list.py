"""`GET /v1/models` and `GET /v1/models/{model}`: what can be asked right now."""

import time
from typing import Any

from asgiref.sync import sync_to_async
from django.http import HttpResponseBase, JsonResponse
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request

from inference import client, selectors
from inference.api import schema
from inference.api.base import ApiView
from inference.exceptions import ModelNotFoundError
from inference.models import ApiKey, LanguageModel

STARTED_S = int(time.time())  # stands in for the age of a model without a card
OWNER = "fastchat-site"


class ModelList(ApiView):
    """Lists the models that live workers serve and whose cards do not hide them."""

    scope = "models"

    @extend_schema(operation_id="listModels", responses=schema.answers(schema.ModelListObject))
    async def get(self, request: Request) -> HttpResponseBase:
        """List the models that can be asked now."""
        cards = await visible_models(request)
        return JsonResponse({"object": "list", "data": list(cards.values())})


class ModelDetail(ApiView):
    """Shows one of them."""

    scope = "models"

    @extend_schema(operation_id="retrieveModel", responses=schema.answers(schema.ModelObject))
    async def get(self, request: Request, name: str) -> HttpResponseBase:
        """Show one model."""
        cards = await visible_models(request)
        if name not in cards:
            raise ModelNotFoundError(name)
        return JsonResponse(cards[name])


async def visible_models(request: Request) -> dict[str, dict[str, Any]]:
    """Return the model objects of everything live, not hidden and the key's to use, by name."""
    live = await client.live_models()
    cards = await sync_to_async(selectors.cards_of)(live)
    key = request.auth
    return {
        name: model_object(name, card)
        for name, card in by_name(live, cards)
        if is_open(card) and (not isinstance(key, ApiKey) or key.may_use(name))
    }


def by_name(
    live: frozenset[str], cards: dict[str, LanguageModel]
) -> list[tuple[str, LanguageModel | None]]:
    """Return each live model with its card, if it has one."""
    return [(name, cards.get(name)) for name in sorted(live)]


def is_open(card: LanguageModel | None) -> bool:
    """Tell whether programs may see a model; one without a card hides nothing."""
    return card is None or card.is_listed


def model_object(name: str, card: LanguageModel | None) -> dict[str, Any]:
    """Return the model object of OpenAI's API, with what its card knows beside."""
    described: dict[str, Any] = {
        "id": name,
        "object": "model",
        "created": int(card.created_at.timestamp()) if card else STARTED_S,
        "owned_by": (card.organisation if card else "") or OWNER,
    }
    if card is not None and card.context_length:
        described["context_length"] = card.context_length
    if card is not None:
        described["modalities"] = ["text", "image"] if card.takes_images else ["text"]
    return described
