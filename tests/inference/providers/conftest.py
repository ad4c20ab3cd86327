"""A server that says what a test wants."""

from collections.abc import AsyncIterator

import pytest

from tests.support.wire_server import WireServer, wire_server


@pytest.fixture
async def wire() -> AsyncIterator[WireServer]:
    """A server on the loopback interface."""
    async with wire_server() as server:
        yield server
