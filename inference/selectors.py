"""Reads of models and keys."""

from django.db.models import QuerySet

from inference.exceptions import ModelNotFoundError
from inference.models import LanguageModel


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
