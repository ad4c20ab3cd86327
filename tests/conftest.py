"""Fixtures every test may use: spawned services, a browser, real data where there is some."""

import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.support.postgres_server import postgres_binaries, running_postgres
from tests.support.redis_server import running_redis

# A run in the background is deaf to Ctrl-C, and so would be the processes that tests interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)

CHROMIUM_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]


def skip_without(binary: str) -> None:
    """Skip with a plain reason where a service's binary is missing; in CI that is a failure."""
    reason = f"{binary} is not installed"
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """A fresh PostgreSQL server for the whole run."""
    if postgres_binaries() is None:
        skip_without("PostgreSQL")
    with running_postgres() as url:
        yield url


@pytest.fixture
def redis_url(tmp_path: Path) -> Iterator[str]:
    """A fresh Redis server for one test."""
    if shutil.which("redis-server") is None:
        skip_without("redis-server")
    with running_redis(tmp_path / "redis") as server:
        yield server.url


# Of the module and no longer: while it is open its event loop would be in the way of async tests.
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A real Chromium without a window."""
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        skip_without("chromium")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=chromium, args=CHROMIUM_ARGUMENTS)
        yield started
        started.close()


@pytest.fixture(scope="session")
def reference_data() -> Path:
    """The folder of real data named by FASTCHAT_REFERENCE_DATA."""
    folder = os.environ.get("FASTCHAT_REFERENCE_DATA", "")
    if not folder:
        pytest.skip("FASTCHAT_REFERENCE_DATA names no folder")
    return Path(folder)
