"""Production may run uvicorn instead of Daphne: pages, sockets and event streams work the same."""

import json
import subprocess
import sys
import urllib.request
from collections.abc import Iterator

import pytest

from tests.support.battle_client import BattleClient
from tests.support.ports import wait_until
from tests.support.site import ROOT, Site

SCRIPTED = ("scripted-one", "scripted-two")


@pytest.fixture(scope="module")
def uvicorn_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The application under uvicorn with the options of the deployment guide, scripted models."""
    folder = tmp_path_factory.mktemp("uvicorn")
    site = Site(folder, extra={"FASTCHAT_SCRIPTED_MODELS": ",".join(SCRIPTED)})
    site.manage("migrate", "--verbosity", "0")
    for name in SCRIPTED:  # `serve` would do this; uvicorn knows nothing of models
        register = f"from inference.services import register_model; register_model(name={name!r})"
        site.manage("shell", "--command", register)
    with (folder / "uvicorn.log").open("wb") as log:
        server = subprocess.Popen(
            [
                *(sys.executable, "-m", "uvicorn", "fastchat_site.asgi:application"),
                *("--port", str(site.port), "--loop", "uvloop", "--http", "httptools"),
                *("--ws", "websockets-sansio", "--timeout-graceful-shutdown", "20"),
                *("--ws-max-size", "65536", "--ws-per-message-deflate", "false"),
            ],
            cwd=ROOT,
            env=site.environment,
            stdout=log,
            stderr=log,
        )
    try:
        wait_until(lambda: answers(site), what="uvicorn answers")
        yield site
    finally:
        server.terminate()
        server.wait(timeout=30)


def answers(site: Site) -> bool:
    """Whether the site answers at all."""
    try:
        urllib.request.urlopen(f"{site.address}/health/live", timeout=5).close()
    except OSError:
        return False
    return True


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
