"""A canned model behind the real API."""

import time
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from django.core.cache import cache
from django.db import connections
from django.test import AsyncClient

from inference import rate_limit
from inference.api.metering import WRITER
from tests.support.canned_client import CannedClient, spoken


@pytest.fixture
def models(monkeypatch: pytest.MonkeyPatch) -> CannedClient:
    canned = CannedClient(answers={"parrot": spoken("Hel", "lo", " 世界")})
    canned.install(monkeypatch)
    cache.clear()
    return canned


@pytest.fixture
def api(
    models: CannedClient, transactional_db: None, monkeypatch: pytest.MonkeyPatch
) -> Iterator[AsyncClient]:
    # No minute ends while a test counts what is done in one.
    now_s = time.time()
    monkeypatch.setattr(rate_limit, "time", SimpleNamespace(time=lambda: now_s))
    yield AsyncClient()
    WRITER.submit(connections.close_all).result()


@pytest.fixture
def inference_setting(settings: Any):
    """Change keys of `INFERENCE` for one test."""

    def change(**values: Any) -> None:
        settings.INFERENCE = settings.INFERENCE | values

    return change


def question(**fields: Any) -> dict[str, Any]:
    """Return a request body that is fine, with these fields changed."""
    return {"model": "parrot", "messages": [{"role": "user", "content": "Hi"}]} | fields


async def ask(api: AsyncClient, body: Any = None, **headers: str) -> Any:
    """POST a chat completion and return the response."""
    return await api.post(
        "/v1/chat/completions",
        data=question() if body is None else body,
        content_type="application/json",
        headers=headers,
    )


async def events_of(response: Any) -> list[bytes]:
    """Return the events of a stream, read to its end."""
    body = b"".join([part async for part in response.streaming_content])
    return [event for event in body.split(b"\n\n") if event]
