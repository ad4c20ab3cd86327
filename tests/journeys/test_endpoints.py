"""A site asks another one's OpenAI API, here its own, and visitors do not notice."""

import json
from collections.abc import Iterator
from pathlib import Path

import openai
import pytest

from tests.support.battle_client import BattleClient
from tests.support.site import Site

pytestmark = pytest.mark.services

ARENA_OF_FAR = (
    "from inference.models import LanguageModel as M;"
    "M.objects.update(is_in_arena=False);"
    "M.objects.filter(name__startswith='far-').update(is_in_arena=True)"
)
AS_BEFORE = (
    "from inference.models import LanguageModel as M;"
    "M.objects.update(is_in_arena=True);"
    "far = M.objects.filter(name__startswith='far-');"
    "far.update(is_in_arena=False, is_listed=False);"
    "[model.endpoints.all().delete() for model in far]"
)


@pytest.fixture
def far_models(site: Site, tmp_path: Path) -> Iterator[None]:
    """The demo models once more, asked through the site's own API, and alone in the arena."""
    base = f"{site.address}/v1"
    table = {
        f"far-{size}": {
            "model_name": f"demo-{size}",
            "api_type": "openai",
            "api_base": base,
            "api_key": "",
            "anony_only": False,
            "recommended_config": {"temperature": 0.0, "max_new_tokens": 40},
        }
        for size in ("small", "large")
    }
    path = tmp_path / "api_endpoints.json"
    path.write_text(json.dumps(table))
    assert "2 endpoints, stored" in site.manage("register_endpoints", str(path))
    site.manage("shell", "-v", "0", "-c", ARENA_OF_FAR)
    yield
    site.manage("shell", "-v", "0", "-c", AS_BEFORE)


@pytest.mark.usefixtures("far_models")
async def test_chats_and_battles_go_through_the_api_of_another_site(site: Site) -> None:
    client = openai.AsyncOpenAI(base_url=f"{site.address}/v1", api_key="EMPTY", max_retries=0)
    question = "What is the capital of France?"

    async with client:
        names = {model.id async for model in client.models.list()}
        far, near = [
            await client.chat.completions.create(
                model=name, messages=[{"role": "user", "content": question}], temperature=0
            )
            for name in ("far-large", "demo-large")
        ]
    async with BattleClient(site) as visitor:
        answers = await visitor.play(question)

    assert {"far-small", "far-large", "demo-small", "demo-large"} <= names
    assert "Paris" in (far.choices[0].message.content or "")
    assert far.choices[0].message == near.choices[0].message
    assert far.usage == near.usage
    assert any("Paris" in text for text in answers.values())
    assert not [frame for frame in visitor.frames if "far-" in frame]
