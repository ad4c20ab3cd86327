"""The chat page in a real browser, against scripted answers."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page

from tests.frontend.test_battle_page import ask

pytestmark = pytest.mark.services
OpenPage = Callable[..., Page]


def wait_for_answer(page: Page, state: str = "done") -> None:
    page.wait_for_selector(f".exchange:last-child .answer[data-state={state}]", timeout=60_000)


def test_a_chat_gets_an_address_a_title_and_an_entry(open_page: OpenPage) -> None:
    page = open_page("/chat/")

    ask(page, "How is tea made?")
    wait_for_answer(page)

    assert re.search(r"/chat/[0-9a-f]{32}/$", page.url)
    assert page.locator(".talk-title").inner_text() == "How is tea made?"
    assert page.locator(".history-title").first.inner_text() == "How is tea made?"
    assert "short list" in page.locator(".answer-body").inner_text()


def test_the_chosen_model_and_settings_are_sent(open_page: OpenPage) -> None:
    page = open_page("/chat/?model=model-two")
    sent: list[str] = []
    page.on("websocket", lambda socket: socket.on("framesent", lambda data: sent.append(data)))
    page.reload()
    page.wait_for_load_state("networkidle")

    page.locator(".params summary").click()
    page.get_by_label("Temperature").fill("0.2")
    ask(page, "hello")
    wait_for_answer(page)

    assert sent == [
        '{"type":"prompt","text":"hello","model":"model-two","params":{"temperature":0.2}}'
    ]
    assert page.locator("option:disabled").count() == 0
    assert page.locator(".talk-model").inner_text() == "model-two"


def test_a_model_that_is_not_running_cannot_be_chosen(open_page: OpenPage) -> None:
    page = open_page("/chat/?model=model-asleep")

    assert page.locator("option:disabled").inner_text() == "Model Asleep (not running)"
    assert page.locator("#model").input_value() == "model-one"


def test_a_stopped_answer_keeps_its_text_and_can_be_written_again(open_page: OpenPage) -> None:
    page = open_page("/chat/")
    ask(page, "crawl, please")
    page.wait_for_selector(".answer-body strong")

    page.keyboard.press("Escape")
    wait_for_answer(page, "stopped")
    partial = page.locator(".answer-body").inner_text()
    page.get_by_role("button", name="Answer again").click()
    wait_for_answer(page)

    assert partial.startswith("Here is a short list")
    assert len(page.locator(".answer-body").inner_text()) > len(partial)


def test_a_running_answer_survives_a_reload(open_page: OpenPage) -> None:
    page = open_page("/chat/")
    ask(page, "slow and cut:20")
    page.wait_for_selector(".answer-body strong")

    page.reload()
    wait_for_answer(page)

    assert page.locator(".exchange").count() == 1
    assert page.locator(".answer-body").inner_text().startswith("Here is a short list")


def test_a_failed_answer_offers_another_try(open_page: OpenPage) -> None:
    page = open_page("/chat/")

    ask(page, "fail b please")
    wait_for_answer(page, "failed")
    page.get_by_role("button", name="Try again").click()
    wait_for_answer(page)

    assert "short list" in page.locator(".answer-body").inner_text()


def test_j_and_k_move_between_chats(open_page: OpenPage) -> None:
    page = open_page("/chat/")
    ask(page, "first")
    wait_for_answer(page)
    page.keyboard.press("Escape")

    page.keyboard.press("n")
    page.wait_for_url("**/chat/")
    page.locator("body").press("Escape")
    page.keyboard.press("j")
    page.wait_for_url(re.compile(r"/chat/[0-9a-f]{32}/$"))

    wait_for_answer(page)
    assert page.locator(".history-link[aria-current=page]").count() == 1


def test_the_history_is_a_drawer_on_phones(open_page: OpenPage) -> None:
    page = open_page("/chat/", viewport={"width": 360, "height": 640})
    assert page.evaluate("document.documentElement.scrollWidth") == 360
    assert not page.locator(".history").is_visible()

    page.get_by_role("button", name="Chats").click()
    assert page.locator(".history").is_visible()
    page.get_by_role("button", name="Back to the conversation").click()

    assert not page.locator(".history").is_visible()
