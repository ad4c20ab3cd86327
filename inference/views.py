"""The models page, and what machines ask about the health of this process."""

import hmac
import logging
from dataclasses import dataclass
from typing import Any

from asgiref.sync import sync_to_async
from django.db import DatabaseError, connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from inference import client, selectors
from inference.api.worker_metrics import worker_metrics
from inference.conf import inference_settings
from inference.exceptions import BusUnavailableError
from inference.models import LanguageModel
from inference.rate_limit import caller_address

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Card:
    """A model as the page shows it."""

    model: LanguageModel
    is_live: bool


@require_safe
async def models_page(request: HttpRequest) -> HttpResponse:
    """Show the listed models and which of them answer now."""
    try:
        live = await client.live_models()
        is_bus_down = False
    except BusUnavailableError:
        live, is_bus_down = frozenset(), True
    return await sync_to_async(_models_page)(request, live, is_bus_down=is_bus_down)


def _models_page(request: HttpRequest, live: frozenset[str], *, is_bus_down: bool) -> HttpResponse:
    cards = [Card(model, model.name in live) for model in selectors.listed_models()]
    cards.sort(key=lambda card: (not card.is_live, str(card.model).casefold()))
    return render(request, "inference/models.html", {"cards": cards, "is_bus_down": is_bus_down})


@never_cache
@require_safe
async def live(request: HttpRequest) -> JsonResponse:  # noqa: ARG001  (a view's signature)
    """Say that this process answers at all."""
    return JsonResponse({"status": "ok"})


@never_cache
@require_safe
async def ready(request: HttpRequest) -> JsonResponse:  # noqa: ARG001  (a view's signature)
    """Say whether this process can do its work: 200 with database and bus, else 503."""
    is_database_up = await sync_to_async(_database_answers)()
    try:
        live_count = len(await client.live_models())
        is_bus_up = True
    except BusUnavailableError:
        live_count, is_bus_up = 0, False
    is_ready = is_database_up and is_bus_up
    state: dict[str, Any] = {
        "status": "ok" if is_ready else "unavailable",
        "database": _state(is_up=is_database_up),
        "bus": _state(is_up=is_bus_up),
        "live_models": live_count,
    }
    return JsonResponse(state, status=200 if is_ready else 503)


def _state(*, is_up: bool) -> str:
    return "ok" if is_up else "unavailable"


def _database_answers() -> bool:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
            return bool(cursor.fetchone() == (1,))
    except DatabaseError as error:
        logger.warning("the database does not answer: %s", type(error).__name__)
        return False


@never_cache
@require_safe
async def metrics(request: HttpRequest) -> HttpResponse:
    """Hand out Prometheus' numbers to those who may read them; to all others nothing is here."""
    if not _may_read_metrics(request):
        return HttpResponse("not found\n", status=404, content_type="text/plain")
    try:
        workers = worker_metrics(await client.live_workers())
    except BusUnavailableError as error:
        logger.warning("the workers' numbers are missing: %s", error)
        workers = b""
    return HttpResponse(generate_latest() + workers, content_type=CONTENT_TYPE_LATEST)


def _may_read_metrics(request: HttpRequest) -> bool:
    settings = inference_settings()
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if settings.metrics_token and scheme.lower() == "bearer":
        return hmac.compare_digest(token.strip().encode(), settings.metrics_token.encode())
    # Behind a proxy that is not counted as ours every visitor seems to come from this machine.
    if "HTTP_X_FORWARDED_FOR" in request.META and settings.trusted_proxy_count == 0:
        return False
    address = caller_address(request.META, trusted_proxy_count=settings.trusted_proxy_count)
    return address in settings.metrics_addresses
