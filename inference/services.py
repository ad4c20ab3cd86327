"""Writes of models, keys and what they use."""

from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import F, QuerySet
from django.utils import timezone

from inference import keys
from inference.exceptions import InvalidRequestError
from inference.models import ApiKey, ApiUsage, LanguageModel, validate_model_name

# A key used in every request is written down once in this time.
USE_NOTED_EVERY = timedelta(minutes=1)


@transaction.atomic
def register_model(
    *,
    name: str,
    path: str = "",
    title: str = "",
    organisation: str = "",
    licence: str = "",
    link: str = "",
    description: str = "",
    context_length: int | None = None,
    takes_images: bool | None = None,
    is_listed: bool = True,
    is_in_arena: bool = True,
) -> LanguageModel:
    """Make sure a model has a card; calling it again is harmless.

    A card that exists keeps all that people may have edited. Its empty texts are filled from the
    arguments, and `path`, `context_length` and `takes_images` follow the weights.

    Raises:
        InvalidRequestError: the name is not one a model can be served under.
    """
    try:
        validate_model_name(name)
    except ValidationError as error:
        message = f"{name!r} cannot be a model's name: {' '.join(error.messages)}"
        raise InvalidRequestError(message, param="name") from error
    texts = {
        "title": title,
        "organisation": organisation,
        "licence": licence,
        "link": link,
        "description": description,
    }
    facts = {"path": path, "context_length": context_length, "takes_images": takes_images}
    facts = {field: value for field, value in facts.items() if value not in ("", None)}
    model, is_new = LanguageModel.objects.get_or_create(
        name=name,
        defaults={**texts, **facts, "is_listed": is_listed, "is_in_arena": is_in_arena},
    )
    if is_new:
        return model
    changes: dict[str, object] = {
        field: value for field, value in texts.items() if value and not getattr(model, field)
    }
    changes |= facts
    changes = {field: value for field, value in changes.items() if getattr(model, field) != value}
    if changes:
        for field, value in changes.items():
            setattr(model, field, value)
        model.save(update_fields=[*changes, "updated_at"])
    return model


def place_models(
    *,
    models: QuerySet[LanguageModel],
    is_listed: bool | None = None,
    is_in_arena: bool | None = None,
) -> int:
    """Put models on the lists or in the arena, or take them off; None leaves a place as it is.

    Returns:
        How many models that concerns.
    """
    places = {"is_listed": is_listed, "is_in_arena": is_in_arena}
    changes = {name: value for name, value in places.items() if value is not None}
    return models.update(**changes, updated_at=timezone.now())


def create_api_key(
    *,
    name: str,
    user: User | None = None,
    expires_at: datetime | None = None,
    terms: keys.KeyTerms | None = None,
) -> tuple[ApiKey, str]:
    """Make a key and return it with its text, which cannot be shown again.

    Raises:
        InvalidRequestError: the name is empty or too long, the key would have expired already, or
            its terms name a scope or a model that cannot exist, or a number below 0.
    """
    terms = terms or keys.KeyTerms()
    if expires_at is not None and expires_at <= timezone.now():
        raise InvalidRequestError(f"{expires_at} is in the past", param="expires_at")
    text = keys.new_key()
    key = ApiKey(
        name=name,
        user=user,
        prefix=keys.prefix_of(text) or "",
        key_hash=keys.hash_of(text),
        expires_at=expires_at,
        scopes=list(terms.scopes),
        allowed_models=list(terms.models),
        requests_per_minute=terms.requests_per_minute,
        tokens_per_minute=terms.tokens_per_minute,
        token_budget=terms.token_budget,
        budget_period=terms.budget_period,
    )
    try:
        key.full_clean()
    except ValidationError as error:
        faults = [
            f"{field}: {' '.join(texts)}" for field, texts in sorted(error.message_dict.items())
        ]
        raise InvalidRequestError("; ".join(faults), param=min(error.message_dict)) from error
    key.save()
    return key, text


def revoke_api_key(*, key: ApiKey) -> None:
    """Close the door to a key for good; the moment of the first call stays."""
    ApiKey.objects.filter(pk=key.pk, revoked_at=None).update(revoked_at=timezone.now())


def note_api_key_use(*, key: ApiKey) -> None:
    """Remember that a key was just used, to the minute."""
    now = timezone.now()
    if key.last_used_at is None or key.last_used_at < now - USE_NOTED_EVERY:
        ApiKey.objects.filter(pk=key.pk).update(last_used_at=now)


def record_api_usage(
    *,
    key: ApiKey,
    model: str,
    prompt_tokens: int = 0,
    completion_tokens: int = 0,
    is_failed: bool = False,
) -> None:
    """Count one request of a key, with one statement except for the first of a day.

    Args:
        key: who asked.
        model: who answered; empty where nobody did.
        prompt_tokens: exact count of what was read.
        completion_tokens: exact count of what was generated.
        is_failed: whether the request was answered with an error.
    """
    row = {"key": key, "day": timezone.now().date(), "model": model}
    counts = {
        "requests": 1,
        "prompt_tokens": prompt_tokens,
        "completion_tokens": completion_tokens,
        "errors": int(is_failed),
    }
    added: dict[str, Any] = {name: F(name) + count for name, count in counts.items()}
    if ApiUsage.objects.filter(**row).update(**added):
        return
    try:
        with transaction.atomic():
            ApiUsage.objects.create(**row, **counts)
    except IntegrityError:  # another process was first
        ApiUsage.objects.filter(**row).update(**added)
