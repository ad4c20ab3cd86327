"""The battle page in a real browser, against scripted answers."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.frontend.scripted_answers import ANSWER

pytestmark = pytest.mark.services
OpenPage = Callable[..., Page]


def ask(page: Page, prompt: str) -> None:
    page.get_by_label("Your prompt").last.fill(prompt)
    page.keyboard.press("Enter")


def wait_for(page: Page, state: str) -> None:
    page.wait_for_selector(f".arena[data-state={state}]", timeout=60_000)


def text_of(page: Page, side: str) -> str:
    """The text of a side's last answer, once its formula is drawn: that is loaded on first use."""
    with_formula = page.locator(".turn:last-child .answer-body", has_text="The area is")
    expect(with_formula.filter(has_not=page.locator(".katex"))).to_have_count(0)
    return page.locator(f".turn:last-child .side[data-side={side}] .answer-body").inner_text()


def test_a_round_goes_from_prompt_to_reveal(open_page: OpenPage) -> None:
    page = open_page()
    assert page.locator(".send").is_disabled()

    ask(page, "How is tea made?")
    wait_for(page, "ready")

    assert "short list" in text_of(page, "a")
    assert text_of(page, "a") == text_of(page, "b")
    assert "model-one" not in page.content()

    page.get_by_role("button", name="A is better").click()
    wait_for(page, "voted")

    assert page.locator(".verdict h2").inner_text() == "You chose A"
    assert page.locator(".verdict dd").all_inner_texts() == ["model-one", "model-two"]
    assert "is-winner" in (page.locator(".side[data-side=a]").get_attribute("class") or "")
    expect(page.get_by_role("link", name="See the leaderboard")).to_be_visible()


def test_votes_wait_until_both_sides_have_answered(open_page: OpenPage) -> None:
    page = open_page()

    ask(page, "crawl, please")
    wait_for(page, "running")
    for side in ("a", "b"):  # a side that is stopped without a word has not answered
        expect(page.locator(f".side[data-side={side}] .answer-body")).to_contain_text("Here")

    buttons = page.locator(".vote-buttons button")
    assert all(button.is_disabled() for button in buttons.all())
    page.locator(".stop").click()
    wait_for(page, "ready")
    assert all(button.is_enabled() for button in buttons.all())
    assert page.locator(".answer-status").first.inner_text() == "Stopped."


def test_the_keyboard_alone_plays_two_rounds(open_page: OpenPage) -> None:
    page = open_page()

    page.keyboard.press("/")
    page.keyboard.type("first question")
    page.keyboard.press("Shift+Enter")
    page.keyboard.type("second line")
    page.keyboard.press("Enter")
    wait_for(page, "ready")
    assert page.locator(".prompt").inner_text() == "first question\nsecond line"

    page.keyboard.press("Escape")
    page.keyboard.press("4")
    wait_for(page, "voted")
    assert page.locator(".verdict h2").inner_text() == "You found both bad"

    page.keyboard.press("n")
    wait_for(page, "idle")
    page.keyboard.type("another question")
    page.keyboard.press("Enter")
    wait_for(page, "ready")
    assert page.locator(".turn").count() == 1


def test_shortcuts_are_silent_where_they_are_turned_off(open_page: OpenPage) -> None:
    page = open_page()
    page.keyboard.press("?")
    page.get_by_label("Single keys are shortcuts").uncheck()
    page.keyboard.press("Escape")

    page.keyboard.press("?")

    assert not page.locator(".help-sheet").is_visible()


def test_enter_within_an_input_method_sends_nothing(open_page: OpenPage) -> None:
    page = open_page()
    page.focus("#prompt")
    browser_keys = page.context.new_cdp_session(page)
    browser_keys.send(
        "Input.imeSetComposition", {"text": "ni", "selectionStart": 2, "selectionEnd": 2}
    )

    browser_keys.send(
        "Input.dispatchKeyEvent",
        {"type": "rawKeyDown", "key": "Enter", "code": "Enter", "windowsVirtualKeyCode": 229},
    )
    assert page.locator(".turn").count() == 0

    browser_keys.send("Input.insertText", {"text": "你好"})
    page.keyboard.press("Enter")
    wait_for(page, "ready")
    assert page.locator(".prompt").inner_text() == "你好"


def test_a_second_question_goes_to_the_same_models(open_page: OpenPage) -> None:
    page = open_page()
    ask(page, "first")
    wait_for(page, "ready")

    ask(page, "second")
    page.wait_for_selector(".turn:nth-child(2) .side[data-state=done]")
    wait_for(page, "ready")
    page.keyboard.press("Escape")
    page.keyboard.press("3")
    wait_for(page, "voted")

    assert page.locator(".prompt").all_inner_texts() == ["first", "second"]
    assert page.locator(".model-name").all_inner_texts() == ["model-one", "model-two"] * 2


def test_a_failed_side_is_tried_again_alone(open_page: OpenPage) -> None:
    page = open_page()

    ask(page, "fail b please")
    wait_for(page, "failed")

    good = text_of(page, "a")
    assert "went away" in page.locator(".side[data-side=b] .answer-status").inner_text()
    assert page.locator(".vote-buttons button").first.is_disabled()
    page.get_by_role("button", name="Try again").click()
    wait_for(page, "ready")
    assert text_of(page, "a") == good == text_of(page, "b")


def test_answers_continue_exactly_wherever_the_connection_is_cut(open_page: OpenPage) -> None:
    page = open_page()
    ask(page, "not disturbed")
    wait_for(page, "ready")
    undisturbed = text_of(page, "a")
    sockets: list[str] = []
    page.on("websocket", lambda socket: sockets.append(socket.url))

    for token in (0, 1, 2, 9, 30, 50):
        page.locator(".vote-bar .new-round").click()
        ask(page, f"cut:{token}")
        wait_for(page, "ready")
        assert text_of(page, "a") == undisturbed
        assert text_of(page, "b") == undisturbed

    assert len(sockets) >= 6
    assert not page.locator(".connection-lost").is_visible()


def test_a_reload_brings_the_running_battle_back(open_page: OpenPage) -> None:
    page = open_page()
    ask(page, "slow one")
    page.wait_for_selector(".side .answer-body strong")

    page.reload()
    wait_for(page, "ready")
    assert "short list" in text_of(page, "a")
    page.keyboard.press("2")
    wait_for(page, "voted")

    page.reload()
    wait_for(page, "voted")
    assert page.locator(".verdict h2").inner_text() == "You chose B"


@pytest.mark.parametrize(
    ("code", "sentence"),
    [
        ("not_enough_models", "A battle needs two running models."),
        ("rate_limited", "Please try again in 9 s."),
        ("a_code_of_tomorrow", "refused"),
    ],
)
def test_a_refusal_is_said_in_plain_words_and_the_prompt_is_kept(
    open_page: OpenPage, code: str, sentence: str
) -> None:
    page = open_page()

    ask(page, f"error:{code}")
    page.wait_for_selector(".refusal:visible")

    assert sentence in page.locator(".refusal").inner_text()
    assert page.get_by_label("Your prompt").input_value() == f"error:{code}"
    assert page.locator(".turn").count() == 0


def test_a_prompt_over_the_limit_cannot_be_sent(open_page: OpenPage) -> None:
    page = open_page()

    page.fill("#prompt", "字" * 12_000)
    assert page.locator(".send").is_enabled()
    page.fill("#prompt", "字" * 12_001)

    assert page.locator(".send").is_disabled()
    assert page.locator(".counter").inner_text() == "12,001 of 12,000 characters"


def test_copying_gives_the_fence_byte_for_byte(open_page: OpenPage) -> None:
    page = open_page()
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    ask(page, "code please")
    wait_for(page, "ready")

    page.locator(".side[data-side=a] .code-head button").click()

    fence = ANSWER.split("```python\n")[1].split("\n```")[0]
    assert page.evaluate("navigator.clipboard.readText()") == fence


def test_a_phone_shows_one_side_at_a_time_without_sideways_scroll(open_page: OpenPage) -> None:
    page = open_page(viewport={"width": 360, "height": 640})
    assert page.evaluate("document.documentElement.scrollWidth") == 360

    ask(page, "How is tea made?")
    wait_for(page, "ready")

    assert page.locator(".side[data-side=a]").is_visible()
    assert not page.locator(".side[data-side=b]").is_visible()
    page.locator(".sides-switch").get_by_role("button", name="Model B").click()
    assert page.locator(".side[data-side=b]").is_visible()
    assert page.evaluate("document.documentElement.scrollWidth") == 360
