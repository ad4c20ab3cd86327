"""A server that says what a test wants, and an account for those that sign."""

from collections.abc import AsyncIterator

import pytest

from inference.providers import aws_signing
from tests.support import aws_account
from tests.support.wire_server import WireServer, wire_server


@pytest.fixture
async def wire() -> AsyncIterator[WireServer]:
    """A server on the loopback interface."""
    async with wire_server() as server:
        yield server


@pytest.fixture
def aws_credentials(monkeypatch) -> None:
    """Credentials where botocore looks first."""
    monkeypatch.setattr(aws_signing, "_sessions", [])
    for name, value in aws_account.ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
