"""A scripted site and pages on it that fail the test when the browser complains."""

import os
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page

from tests.support.ports import free_port, wait_until


def is_up(address: str) -> bool:
    try:
        urllib.request.urlopen(f"{address}/about/", timeout=5).close()
    except (urllib.error.URLError, ConnectionError):
        return False
    return True


@pytest.fixture(scope="session")
def address() -> Iterator[str]:
    """The address of a running scripted site."""
    port = free_port()
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "tests.frontend.scripted_settings"}
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.frontend.scripted_site", str(port)], env=environment
    )
    try:
        wait_until(lambda: is_up(f"http://127.0.0.1:{port}"), what="the scripted site answers")
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(timeout=30)


@pytest.fixture
def open_page(browser: Browser, address: str) -> Iterator[Callable[..., Page]]:
    """Opens a page of the site; errors and blocked content of the browser fail the test."""
    complaints: list[str] = []
    contexts = []

    def listen(message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            complaints.append(f"{message.text} ({message.location})")

    def open_one(path: str = "/", **options: object) -> Page:
        context = browser.new_context(**{"locale": "en", **options})
        contexts.append(context)
        page = context.new_page()
        page.on("console", listen)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(address + path)
        return page

    yield open_one
    for context in contexts:
        context.close()
    assert complaints == []
