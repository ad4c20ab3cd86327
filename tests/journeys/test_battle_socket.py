"""A script battles over the socket, as a visitor's page does."""

import json

import pytest

from tests.support.battle_client import BattleClient
from tests.support.site import Site

pytestmark = pytest.mark.services

MODEL_NAMES = ("demo-small", "demo-large", "demo_small", "demo_large")


async def test_a_script_battles_votes_and_sees_the_names(site: Site):
    async with BattleClient(site) as visitor:
        answers = await visitor.play("What is the capital of France?")
        frames_before_vote = "\n".join(visitor.frames)
        voted = await visitor.vote("a")

    assert all(answers.values())
    assert set(voted["models"].values()) == {"demo-small", "demo-large"}
    assert not any(name in frames_before_vote for name in MODEL_NAMES)


async def test_a_vote_changes_the_leaderboard(site: Site):
    before = json.loads(site.manage("show_leaderboard", "--json"))
    votes_before = sum(row["votes"] for row in before["models"])

    async with BattleClient(site) as visitor:
        await visitor.play("法国的首都是哪里？")
        await visitor.vote("b")

    after = json.loads(site.manage("show_leaderboard", "--json"))
    assert sum(row["votes"] for row in after["models"]) == votes_before + 2  # both models' rows


async def test_a_second_vote_is_refused(site: Site):
    async with BattleClient(site) as visitor:
        await visitor.play("Hello!")
        await visitor.vote("tie")
        await visitor.send(type="vote", winner="a")
        answer = await visitor.receive()

    assert (answer["type"], answer["code"]) == ("error", "already_voted")


async def test_a_battle_of_another_visitor_cannot_be_voted_on(site: Site):
    async with BattleClient(site) as owner:
        await owner.send(type="prompt", text="Hello!")
        battle = await owner.receive_until(lambda event: event["type"] == "battle")
        async with BattleClient(site) as stranger:
            await stranger.send(type="resume", battle=battle["id"], seq=0)
            answer = await stranger.receive()

    assert answer["type"] == "error"
    assert answer["code"] == "battle_not_found"
