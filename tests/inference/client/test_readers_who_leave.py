"""A program that hangs up frees its place in the engine, whatever it asked for."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
import uvicorn
from django.core.cache import cache

from fastchat_site.asgi import application
from inference.providers.transport import site_bus
from tests.inference.client.conftest import NAME
from tests.support.fake_engine import FakeEngine
from tests.support.ports import wait_until

pytestmark = pytest.mark.django_db(transaction=True)

HI = [{"role": "user", "content": "count"}]
FREED_WITHIN_S = 10.0  # for a busy machine; elsewhere it takes a step of the engine
ORDERS: dict[str, dict[str, Any]] = {
    "/v1/chat/completions": {"messages": HI},
    "/v1/responses": {"input": "count"},
    "/v1/messages": {"messages": HI, "max_tokens": 100_000},
}


@asynccontextmanager
async def listening() -> AsyncIterator[int]:
    """Serve the site from this event loop; yield the port."""
    config = uvicorn.Config(
        application, port=0, loop="none", lifespan="off", log_config=None, ws="none"
    )
    server = uvicorn.Server(config)
    running = asyncio.create_task(server._serve())  # `serve` takes the signals of the process too
    try:
        await until(lambda: server.started, "the server listens")
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = True
        await running


async def until(is_so: Callable[[], bool], what: str) -> None:
    """Return when it is so; an answer that nobody stops runs for 2,000 s."""
    await asyncio.to_thread(wait_until, is_so, what=what, timeout_s=FREED_WITHIN_S)


def beating_as_running() -> list[int]:
    """What the workers say of themselves."""
    return [worker.running for worker in site_bus().workers()]


@pytest.mark.parametrize("path", ORDERS)
@pytest.mark.parametrize("is_streamed", [True, False])
async def test_a_reader_who_hangs_up_frees_the_engine(embedded, path: str, is_streamed: bool):
    cache.clear()
    engine = FakeEngine(step_s=0.02, answer_tokens=100_000)
    embedded.serve(engine)
    body = json.dumps({"model": NAME, "stream": is_streamed, **ORDERS[path]}).encode()
    head = (
        f"POST {path} HTTP/1.1\r\nHost: testserver\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )

    async with listening() as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(head.encode() + body)
        if is_streamed:
            assert b" 200 " in await reader.readline()
            await reader.readuntil(b"data: ")
        await until(lambda: engine.load().running == 1, "the engine answers")
        writer.transport.abort()

        await until(lambda: engine.load().running == 0, "the engine's place is free")
        await until(lambda: not any(beating_as_running()), "the heartbeat says so")
    assert not engine.has_work()
