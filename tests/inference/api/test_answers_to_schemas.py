"""However small the model: an answer in the form of a schema is valid, every time."""

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import jsonschema
import pytest
from django.core.cache import cache
from django.test import AsyncClient

from inference.demo_models import demo_model_folders
from inference.in_process import ModelSpec, hold_model

pytestmark = pytest.mark.django_db(transaction=True)

MODEL = "demo-small"
ANSWERS, AT_ONCE = 100, 25
WORD = {"type": "string", "maxLength": 4}
PLACE: dict[str, Any] = {
    "type": "object",
    "properties": {
        "city": WORD,
        "size": {"enum": ["small", "large"]},
        "people": {"type": "integer", "minimum": 1, "maximum": 99},
        "sights": {"type": "array", "items": WORD, "minItems": 1, "maxItems": 2},
        "river": {"anyOf": [WORD, {"type": "null"}]},
    },
    "required": ["city", "size", "people", "sights", "river"],
    "additionalProperties": False,
}


@pytest.fixture(scope="module")
def model() -> Iterator[str]:
    """The name of the smallest model that comes with the project."""
    path = str(demo_model_folders()[MODEL])
    spec = ModelSpec(path, (MODEL,), device="cpu", engine_options={"kv_cache_bytes": 20_000_000})
    with hold_model(spec, say=lambda _: None):
        yield MODEL


async def named_place(model: str, seed: int) -> tuple[str, str]:
    """Ask for a place; return what was said and why it ended."""
    response: Any = await AsyncClient().post(
        "/v1/chat/completions",
        data={
            "model": model,
            "messages": [{"role": "user", "content": "Name a place."}],
            "response_format": {
                "type": "json_schema",
                "json_schema": {"name": "place", "schema": PLACE, "strict": True},
            },
            "temperature": 1.3,
            "seed": seed,
            "max_tokens": 300,
        },
        content_type="application/json",
    )
    assert response.status_code == 200, response.content
    (choice,) = json.loads(response.content)["choices"]
    return choice["message"]["content"], choice["finish_reason"]


async def test_a_hundred_of_a_hundred_answers_are_valid(model: str):
    cache.clear()
    turns = asyncio.Semaphore(AT_ONCE)

    async def answer(seed: int) -> tuple[str, str]:
        async with turns:
            return await named_place(model, seed)

    answers = await asyncio.gather(*(answer(seed) for seed in range(ANSWERS)))

    assert len(set(answers)) > ANSWERS // 2  # they were made, not learnt by heart
    for said, finish_reason in answers:
        assert finish_reason == "stop"
        jsonschema.validate(json.loads(said), PLACE)
