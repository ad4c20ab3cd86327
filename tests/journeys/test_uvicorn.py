"""Production may run uvicorn instead of Daphne: pages, sockets and event streams work the same."""

import json
import urllib.request
from collections.abc import Iterator

import pytest

from tests.support.battle_client import BattleClient
from tests.support.site import Site
from tests.support.uvicorn_site import running_under_uvicorn

SCRIPTED = ("scripted-one", "scripted-two")


@pytest.fixture(scope="module")
def uvicorn_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The application under uvicorn, scripted models."""
    with running_under_uvicorn(tmp_path_factory.mktemp("uvicorn"), *SCRIPTED) as site:
        yield site


async def test_a_battle_runs_under_uvicorn(uvicorn_site: Site):
    async with BattleClient(uvicorn_site) as visitor:
        answers = await visitor.play("Tell me about tea")
        voted = await visitor.vote("a")

    assert all(answers.values())
    assert set(voted["models"].values()) == set(SCRIPTED)


def test_the_api_streams_under_uvicorn(uvicorn_site: Site):
    question = {
        "model": SCRIPTED[0],
        "messages": [{"role": "user", "content": "Tell me about tea"}],
        "stream": True,
    }
    request = urllib.request.Request(
        f"{uvicorn_site.address}/v1/chat/completions",
        data=json.dumps(question).encode(),
        headers={"Content-Type": "application/json"},
    )

    with urllib.request.urlopen(request, timeout=30) as answer:
        lines = [line.decode().strip() for line in answer if line.strip()]

    assert len(lines) > 3
    assert lines[-1] == "data: [DONE]"
