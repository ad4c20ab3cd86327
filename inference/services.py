"""Writes of models and keys."""

from django.core.exceptions import ValidationError
from django.db import transaction

from inference.exceptions import InvalidRequestError
from inference.models import LanguageModel, validate_model_name


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
    is_listed: bool = True,
    is_in_arena: bool = True,
) -> LanguageModel:
    """Make sure a model has a card; calling it again is harmless.

    A card that exists keeps all that people may have edited. Its empty texts are filled from the
    arguments, and `path` and `context_length` follow the weights.

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
    facts = {"path": path, "context_length": context_length}
    model, is_new = LanguageModel.objects.get_or_create(
        name=name,
        defaults={**texts, **facts, "is_listed": is_listed, "is_in_arena": is_in_arena},
    )
    if is_new:
        return model
    changes: dict[str, object] = {
        field: value for field, value in texts.items() if value and not getattr(model, field)
    }
    changes |= {field: value for field, value in facts.items() if value}
    changes = {field: value for field, value in changes.items() if getattr(model, field) != value}
    if changes:
        for field, value in changes.items():
            setattr(model, field, value)
        model.save(update_fields=[*changes, "updated_at"])
    return model
