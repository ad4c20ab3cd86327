"""A visitor battles and votes in a real browser, in English and in Chinese."""

import json
import re

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.support.site import Site

pytestmark = pytest.mark.services

QUESTIONS = {"en": "What is the capital of France?", "zh-CN": "法国的首都是哪里？"}
MODEL_NAMES = {"demo-small", "demo-large"}


@pytest.fixture(params=["en", "zh-CN"])
def language(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def page(browser: Browser, language: str):
    context = browser.new_context(locale=language)
    yield context.new_page()
    context.close()


def battle(page: Page, site: Site, question: str) -> None:
    """Open the site, ask, and wait until both sides can be voted on."""
    page.goto(site.address)
    page.locator("#prompt").fill(question)
    page.locator("#prompt").press("Enter")
    expect(page.locator(".vote-buttons button[value=a]")).to_be_enabled(timeout=60_000)


def counted_votes(site: Site) -> int:
    """Return the votes of all rows of the board; every vote is in two of them."""
    return sum(
        row["votes"] for row in json.loads(site.manage("show_leaderboard", "--json"))["models"]
    )


def test_a_visitor_battles_votes_and_learns_the_names(page: Page, site: Site, language: str):
    votes_before = counted_votes(site)
    frames: list[str] = []
    page.on(
        "websocket",
        lambda socket: socket.on("framereceived", lambda payload: frames.append(str(payload))),
    )

    battle(page, site, QUESTIONS[language])
    seen_before_the_vote = page.content() + "".join(frames)
    page.locator(".vote-buttons button[value=a]").click()
    names = page.locator(".verdict-models dd")
    expect(names.first).to_have_text(re.compile("demo-"))

    assert set(names.all_inner_texts()) == MODEL_NAMES
    assert not any(name in seen_before_the_vote for name in MODEL_NAMES)
    assert counted_votes(site) == votes_before + 2


def test_the_vote_is_on_the_leaderboard_page(page: Page, site: Site, language: str):
    battle(page, site, QUESTIONS[language])
    page.locator(".vote-buttons button[value=tie]").click()
    page.locator(".verdict-next a").click()

    table = page.locator("table").first
    expect(table).to_contain_text("demo-small")
    expect(table).to_contain_text("demo-large")


def test_a_reload_brings_the_battle_back(page: Page, site: Site, language: str):
    battle(page, site, QUESTIONS[language])
    answers = page.locator(".side .answer-body").all_inner_texts()

    page.reload()
    expect(page.locator(".vote-buttons button[value=b]")).to_be_enabled()

    assert page.locator(".side .answer-body").all_inner_texts() == answers
    page.locator(".vote-buttons button[value=b]").click()
    expect(page.locator(".verdict")).to_be_visible()


def test_several_turns_come_before_the_vote(page: Page, site: Site, language: str):
    battle(page, site, QUESTIONS[language])
    page.locator("#prompt").fill("Hello!")
    page.locator("#prompt").press("Enter")
    expect(page.locator(".turn")).to_have_count(2)
    expect(page.locator(".vote-buttons button[value=both_bad]")).to_be_enabled(timeout=60_000)

    page.keyboard.press("Escape")
    page.locator(".vote-buttons button[value=both_bad]").click()

    expect(page.locator(".verdict")).to_be_visible()
