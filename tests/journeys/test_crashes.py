"""Processes are killed in mid-battle: visitors see it, and nothing acknowledged is lost."""

import asyncio
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from tests.journeys.conftest import distributed_site
from tests.support.battle_client import BattleClient
from tests.support.ports import wait_until
from tests.support.site import Site
from tests.support.wordy_models import save_wordy_model

pytestmark = pytest.mark.services

MODELS = ("wordy-one", "wordy-two")


@pytest.fixture(scope="module")
def wordy_models(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ...]:
    """Two models whose answers go on until their token limit."""
    folder = tmp_path_factory.mktemp("wordy")
    return tuple(save_wordy_model(folder / name, seed=seed) for seed, name in enumerate(MODELS))


@pytest.fixture(scope="module")
def battered_site(
    tmp_path_factory: pytest.TempPathFactory, wordy_models: tuple[Path, ...]
) -> Iterator[Site]:
    """One site for all tests here, web and worker apart."""
    with distributed_site(tmp_path_factory.mktemp("battered"), models=wordy_models) as site:
        yield site


@pytest.fixture
def wordy_site(battered_site: Site) -> Site:
    """The site with every process alive again."""
    battered_site.revive()
    return battered_site


def votes_of(board: dict[str, Any]) -> int:
    """Return the votes of all rows."""
    return sum(row["votes"] for row in board["models"])


def restart_worker(site: Site) -> None:
    """Start a worker anew and wait until its models are live."""
    site.start_worker()
    wait_until(site.is_ready, what="the models are live again", timeout_s=90)


async def test_a_killed_worker_is_told_within_4_s_and_the_battle_goes_on(wordy_site: Site):
    async with BattleClient(wordy_site) as visitor:
        await visitor.send(type="prompt", text="Tell me a story")
        await visitor.receive_until(lambda event: event["type"] == "delta")

        assert wordy_site.worker is not None
        wordy_site.worker.kill()
        killed_at = time.monotonic()
        lost: dict[str, float] = {}
        while len(lost) < 2:
            event = await visitor.receive()
            if event["type"] == "error":
                assert event["code"] == "worker_lost"
                lost[event["side"]] = time.monotonic() - killed_at
        await visitor.send(type="vote", winner="a")
        refused = await visitor.receive()
        await asyncio.to_thread(restart_worker, wordy_site)
        await visitor.send(type="regenerate")
        ended: set[str] = set()
        while len(ended) < 2:
            event = await visitor.receive()
            assert event["type"] != "error", event
            if event["type"] == "done":
                ended.add(event["side"])
        voted = await visitor.vote("a")

    assert max(lost.values()) < 4.0
    assert refused["code"] == "battle_incomplete"
    assert set(voted["models"].values()) == set(MODELS)


async def test_a_killed_web_process_loses_no_prompt_and_no_token(wordy_site: Site):
    async with BattleClient(wordy_site) as visitor:
        await visitor.send(type="prompt", text="Tell me a story")
        battle = await visitor.receive_until(lambda event: event["type"] == "battle")
        texts, position = {"a": "", "b": ""}, {"a": 0, "b": 0}
        while min(position.values()) < 20:
            event = await visitor.receive()
            if event["type"] == "delta":
                texts[event["side"]] += event["text"]
                position[event["side"]] = event["seq"] + event["count"]
        assert wordy_site.web is not None
        wordy_site.web.kill()

    await asyncio.to_thread(wordy_site.start_web)
    async with BattleClient(wordy_site, cookie=visitor.cookie) as returned:
        await returned.send(type="resume", battle=battle["id"], seq=position)
        state = await returned.receive_until(lambda event: event["type"] == "battle")
        for side in ("a", "b"):
            if state["turns"][0][side]["finish_reason"] is not None:  # it ended meanwhile
                assert state["turns"][0][side]["text"].startswith(texts[side])
                texts[side] = state["turns"][0][side]["text"]
        open_sides = {s for s in ("a", "b") if state["turns"][0][s]["finish_reason"] is None}
        while open_sides:
            event = await returned.receive()
            assert event["type"] != "error", event
            if event["type"] == "delta":
                assert event["seq"] == position[event["side"]]
                texts[event["side"]] += event["text"]
                position[event["side"]] += event["count"]
            elif event["type"] == "done":
                open_sides.discard(event["side"])
        await returned.send(type="resume", battle=battle["id"], seq=0)
        stored = await returned.receive_until(lambda event: event["type"] == "battle")
        voted = await returned.vote("both_bad")

    assert state["turns"][0]["prompt"] == "Tell me a story"
    assert {side: stored["turns"][0][side]["text"] for side in ("a", "b")} == texts
    assert set(voted["models"].values()) == set(MODELS)


async def test_an_acknowledged_vote_survives_the_death_of_every_process(wordy_site: Site):
    before = json.loads(wordy_site.manage("show_leaderboard", "--json"))
    async with BattleClient(wordy_site) as visitor:
        await visitor.send(type="prompt", text="Tell me a story")
        await visitor.receive_until(lambda event: event["type"] == "delta")
        await visitor.send(type="stop")
        ended: set[str] = set()
        while len(ended) < 2:
            event = await visitor.receive()
            if event["type"] == "done":
                ended.add(event["side"])
        await visitor.vote("a")
        assert wordy_site.web is not None
        assert wordy_site.worker is not None
        wordy_site.web.kill()
        wordy_site.worker.kill()

    after = json.loads(wordy_site.manage("show_leaderboard", "--json"))

    assert votes_of(after) == votes_of(before) + len(MODELS)  # a vote is in both models' rows


def test_the_page_tells_of_a_lost_worker_and_retries(wordy_site: Site, browser: Browser):
    context = browser.new_context(locale="en")
    page = context.new_page()
    page.goto(wordy_site.address)
    page.locator("#prompt").fill("Tell me a story")
    page.locator("#prompt").press("Enter")
    expect(page.locator(".side[data-side=a] .answer-body")).not_to_be_empty(timeout=30_000)

    assert wordy_site.worker is not None
    wordy_site.worker.kill()
    retry = page.get_by_role("button", name="Try again")
    expect(retry.first).to_be_visible(timeout=15_000)
    expect(page.locator(".vote-buttons button[value=a]")).to_be_disabled()
    restart_worker(wordy_site)
    retry.first.click()

    expect(page.locator(".vote-buttons button[value=a]")).to_be_enabled(timeout=90_000)
    context.close()
