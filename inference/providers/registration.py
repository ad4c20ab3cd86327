"""Endpoints of a file become records: all of them, or none."""

from collections.abc import Sequence

from django.db import transaction

from inference.exceptions import InvalidRequestError
from inference.models import Endpoint, LanguageModel
from inference.providers.endpoint_entries import Entry
from inference.services import register_model


class EndpointExistsError(InvalidRequestError):
    """The model has an endpoint already."""

    def __init__(self, name: str) -> None:
        super().__init__(f'entry "{name}": the model has endpoints already; --replace renews them')


@transaction.atomic
def register_endpoints(entries: Sequence[Entry], *, is_replacing: bool) -> int:
    """Store endpoints, and cards for their models; return how many.

    Args:
        entries: what to store.
        is_replacing: whether endpoints that the models have already go, and whether cards that
            exist follow the file; otherwise such models are refused.

    Raises:
        EndpointExistsError: a model has endpoints and `is_replacing` is false.
        InvalidRequestError: a name cannot be a model's.
    """
    for entry in entries:
        model = register_model(
            name=entry.name,
            takes_images=entry.endpoint.takes_images,
            is_listed=entry.is_listed,
            is_in_arena=entry.is_in_arena,
        )
        if model.endpoints.exists():
            if not is_replacing:
                raise EndpointExistsError(entry.name)
            model.endpoints.all().delete()
        if is_replacing:
            _place(model, entry)
        entry.endpoint.model = model
        entry.endpoint.save()
    return len(entries)


def _place(model: LanguageModel, entry: Entry) -> None:
    model.is_listed, model.is_in_arena = entry.is_listed, entry.is_in_arena
    model.save(update_fields=["is_listed", "is_in_arena", "updated_at"])


def where(endpoint: Endpoint) -> str:
    """Return an endpoint's address for people, or that the dialect knows it."""
    return endpoint.url or "its usual address"
