"""Fixtures for a site with two scripted models; a conftest names the ones it wants."""

from collections.abc import Iterator

import pytest
from django.core.cache import cache

from inference.client import close_client
from inference.models import LanguageModel
from tests.support.scripted import FailingSource, scripted_settings, store_cards


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


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[FailingSource]]:
    """A script that breaks off for the model named by `failing_model`."""
    monkeypatch.setattr("inference.providers.registry.ScriptedSource", FailingSource)
    yield FailingSource
    FailingSource.failing_model = ""
