"""Reads of models, keys and what they use."""

import hmac
from datetime import date
from typing import Any

from django.db.models import F, QuerySet, Sum
from django.utils import timezone

from inference import keys
from inference.exceptions import ModelNotFoundError
from inference.models import ApiKey, ApiUsage, BudgetPeriod, Endpoint, LanguageModel


def listed_models() -> QuerySet[LanguageModel]:
    """Return the models visitors and programs may see, by name."""
    return LanguageModel.objects.filter(is_listed=True).order_by("name")


def arena_models() -> QuerySet[LanguageModel]:
    """Return the models that may be drawn for battles, by name; weight 0 is never drawn."""
    return LanguageModel.objects.filter(is_in_arena=True, sampling_weight__gt=0).order_by("name")


def model_named(name: str) -> LanguageModel:
    """Return the card of a model, listed or not.

    Raises:
        ModelNotFoundError: no card has this name.
    """
    try:
        return LanguageModel.objects.get(name=name)
    except LanguageModel.DoesNotExist:
        raise ModelNotFoundError(name) from None


def is_hidden(name: str) -> bool:
    """Tell whether a card takes this model out of the public lists; no card hides nothing."""
    return LanguageModel.objects.filter(name=name, is_listed=False).exists()


def cards_of(names: frozenset[str]) -> dict[str, LanguageModel]:
    """Return the cards of these models by name, hidden ones too; some may have none."""
    return {model.name: model for model in LanguageModel.objects.filter(name__in=names)}


def enabled_endpoints() -> QuerySet[Endpoint]:
    """Return the endpoints that may be asked, with their models."""
    enabled = Endpoint.objects.filter(is_enabled=True)
    return enabled.select_related("model").order_by("model__name", "pk")


def recommended_params(model: LanguageModel) -> dict[str, Any]:
    """Return the sampling parameters a model's endpoint recommends for battles, by name."""
    recommended = model.endpoints.filter(is_enabled=True).order_by("pk")
    return dict(recommended.values_list("recommended", flat=True).first() or {})


def valid_api_key(key: str) -> ApiKey | None:
    """Return the stored key that this text opens now, with its user, or None.

    The look-up goes by hash, so its time says nothing about a stored key.
    """
    if keys.prefix_of(key) is None:
        return None
    key_hash = keys.hash_of(key)
    stored = ApiKey.objects.select_related("user").filter(key_hash=key_hash).first()
    if stored is None or not hmac.compare_digest(stored.key_hash, key_hash):
        return None
    if stored.user is not None and not stored.user.is_active:
        return None
    return stored if stored.is_valid_at(timezone.now()) else None


def tokens_spent(key: ApiKey) -> int:
    """Return the tokens a key has used of its budget: this month's, or all there were."""
    rows = ApiUsage.objects.filter(key=key)
    if key.budget_period == BudgetPeriod.MONTH:
        rows = rows.filter(day__gte=timezone.now().date().replace(day=1))
    spent = rows.aggregate(tokens=Sum(F("prompt_tokens") + F("completion_tokens")))["tokens"]
    return int(spent or 0)


def usage_since(day: date, *, name: str = "") -> QuerySet[ApiUsage]:
    """Return what keys used from a day on, oldest first; all keys, or those of one name."""
    rows = ApiUsage.objects.filter(day__gte=day).select_related("key")
    if name:
        rows = rows.filter(key__name=name)
    return rows.order_by("day", "key__name", "key", "model")
