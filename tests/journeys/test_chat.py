"""A visitor chats with one model in a real browser and finds the chat again."""

import re

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.support.site import Site

pytestmark = pytest.mark.services


@pytest.fixture
def page(browser: Browser):
    context = browser.new_context(locale="en")
    yield context.new_page()
    context.close()


def ask(page: Page, text: str, *, answers: int) -> None:
    """Send a message and wait until the given number of answers stand on the page, whole."""
    page.locator("#prompt").fill(text)
    page.locator("#prompt").press("Enter")
    expect(page.locator(".exchange .answer")).to_have_count(answers)
    expect(page.locator(".composer .send")).to_be_visible(timeout=60_000)
    expect(page.locator(".exchange .answer-body").last).not_to_be_empty()


def test_a_visitor_chats_and_finds_the_chat_in_the_history(page: Page, site: Site):
    page.goto(f"{site.address}/chat/?model=demo-large")
    ask(page, "What is the capital of France?", answers=1)
    expect(page.locator(".exchange .answer-body").first).to_contain_text("Paris")
    ask(page, "Hello!", answers=2)

    page.goto(f"{site.address}/chat/")
    page.locator(".history-link").first.click()

    expect(page).to_have_url(re.compile(r"/chat/[0-9a-f]{32}/$"))
    expect(page.locator(".exchange")).to_have_count(2)
    expect(page.locator(".exchange .answer-body").first).to_contain_text("Paris")


def test_a_chat_is_renamed_and_deleted(page: Page, site: Site):
    page.goto(f"{site.address}/chat/?model=demo-small")
    ask(page, "Hello!", answers=1)
    page.goto(f"{site.address}/chat/")
    page.locator(".history-link").first.click()

    page.locator(".history-tools summary").click()
    page.locator("#title").fill("Greetings")
    page.get_by_role("button", name="Rename").click()
    expect(page.locator(".history-title").first).to_have_text("Greetings")
    page.locator(".history-tools summary").click()
    page.get_by_role("button", name="Delete this chat").click()

    expect(page.locator(".history-link")).to_have_count(0)


def test_another_visitor_does_not_see_the_chat(page: Page, site: Site, browser: Browser):
    page.goto(f"{site.address}/chat/?model=demo-small")
    ask(page, "Hello!", answers=1)
    page.goto(f"{site.address}/chat/")
    address = str(page.locator(".history-link").first.get_attribute("href"))

    stranger = browser.new_context().new_page()
    answer = stranger.goto(f"{site.address}{address}")

    assert answer is not None
    assert answer.status == 404
