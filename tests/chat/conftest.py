"""A site with two scripted models."""

from collections.abc import Iterator

import pytest
from django.core.cache import cache

from inference.client import close_client
from inference.models import LanguageModel
from tests.support.scripted import scripted_settings, store_cards


@pytest.fixture
def scripted() -> Iterator[None]:
    """Two names answered by a script, a fresh bus and empty counters."""
    cache.clear()
    with scripted_settings():
        yield
        close_client()


@pytest.fixture
def cards(transactional_db: None) -> list[LanguageModel]:
    """The cards of the two scripted models."""
    return store_cards()
