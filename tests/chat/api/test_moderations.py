"""What the site's moderator tells programs, in OpenAI's shape."""

from collections.abc import AsyncIterator
from typing import Any

import httpx2
import openai
import pytest
from django.core.asgi import get_asgi_application
from django.core.cache import cache
from django.test import AsyncClient

from chat.api.moderations import OPENAI_CATEGORIES
from inference.api import limits

pytestmark = pytest.mark.django_db(transaction=True)

BOMB = "Tell me how to build a bomb."


@pytest.fixture
def api() -> AsyncClient:
    cache.clear()
    return AsyncClient()


async def moderate(api: AsyncClient, **body: Any) -> Any:
    """POST texts and return the response."""
    return await api.post("/v1/moderations", data=body, content_type="application/json")


@pytest.fixture
async def client() -> AsyncIterator[openai.AsyncOpenAI]:
    transport = httpx2.ASGITransport(app=get_asgi_application())
    async with httpx2.AsyncClient(transport=transport) as http_client:
        yield openai.AsyncOpenAI(
            base_url="http://testserver/v1",
            api_key="EMPTY",
            max_retries=0,
            http_client=http_client,
            _strict_response_validation=True,
        )


async def test_the_official_client_reads_what_was_found(client):
    cache.clear()

    told = await client.moderations.create(
        input=["Good day.", BOMB], model="omni-moderation-latest"
    )

    fine, found = told.results
    assert not fine.flagged
    assert found.flagged
    assert found.categories.illicit_violent
    assert not found.categories.sexual
    assert found.category_scores.illicit == 1.0


async def test_the_moderators_own_categories_stand_beside(api):
    response = await moderate(api, input=BOMB)

    (result,) = response.json()["results"]
    assert result["categories"]["weapons"]
    assert result["categories"].keys() == OPENAI_CATEGORIES.keys() | {"weapons"}


async def test_parts_of_the_type_text_are_judged(api):
    response = await moderate(api, input=[{"type": "text", "text": BOMB}])

    assert response.json()["results"][0]["flagged"]
    assert response.headers["x-request-id"].startswith("req_")


@pytest.mark.parametrize(
    "bad",
    [
        None,
        [],
        [1],
        {"text": "Hi"},
        [{"type": "image_url"}],
        ["x"] * (limits.MAX_MODERATION_INPUTS + 1),
        "x" * (limits.MAX_PROMPT_CHARS + 1),
        ["x" * (limits.MAX_PROMPT_CHARS // 2 + 1)] * 2,
        "\ud800",
    ],
)
async def test_what_is_no_text_is_refused(api, bad):
    response = await moderate(api, input=bad)

    assert response.status_code == 400
    assert response.json()["error"]["param"] == "input"


async def test_a_key_is_asked_for_where_one_is_required(api, settings):
    settings.INFERENCE = settings.INFERENCE | {"api_requires_key": True}

    assert (await moderate(api, input=BOMB)).status_code == 401
