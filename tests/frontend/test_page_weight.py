"""The first page is light and comes from this site alone."""

import gzip

import pytest
from playwright.sync_api import Browser, Response

pytestmark = pytest.mark.services
BUDGET_BYTES = 100_000


@pytest.mark.parametrize("path", ["/", "/chat/"])
def test_the_first_page_keeps_its_budget(browser: Browser, address: str, path: str) -> None:
    context = browser.new_context(locale="zh-CN")
    page = context.new_page()
    responses: list[Response] = []
    page.on("response", lambda response: responses.append(response))

    page.goto(address + path)
    page.wait_for_load_state("networkidle")

    weights = {response.url: len(gzip.compress(response.body(), 9)) for response in responses}
    context.close()
    assert all(url.startswith(address) for url in weights)
    assert not any("highlight" in url or "katex" in url for url in weights)
    assert sum(weights.values()) <= BUDGET_BYTES, sorted(weights.items(), key=lambda item: -item[1])


def test_pages_are_read_without_scripts(browser: Browser, address: str) -> None:
    context = browser.new_context(java_script_enabled=False, locale="en")
    page = context.new_page()

    page.goto(address + "/about/")

    assert page.get_by_role("heading", level=1).inner_text() == "How it works"
    assert page.get_by_role("navigation").is_visible()
    context.close()
