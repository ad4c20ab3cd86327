"""Streams of named events: readers that leave, and silence."""

import asyncio
from typing import Any

import pytest

from inference.generation import Delta
from tests.support.canned_client import CannedClient, spoken

STREAMS: list[tuple[str, dict[str, Any]]] = [
    ("/v1/responses", {"input": "Hi"}),
    ("/v1/messages", {"messages": [{"role": "user", "content": "Hi"}], "max_tokens": 5}),
    ("/generate", {"inputs": "Hi"}),
]


async def ask(api, path: str, body: dict[str, Any]) -> Any:
    """POST a request for a stream."""
    fields = {"model": "parrot", "stream": True} | body
    return await api.post(path, data=fields, content_type="application/json")


@pytest.mark.parametrize(("path", "body"), STREAMS)
async def test_a_reader_that_leaves_frees_the_model(api, models: CannedClient, path, body):
    models.answers["parrot"] = [Delta(seq=0, pieces=("Hel",)), 60.0]
    response = await ask(api, path, body)
    has_begun = asyncio.Event()

    async def read() -> None:
        async for _ in response.streaming_content:
            has_begun.set()

    reading = asyncio.create_task(read())
    await asyncio.wait_for(has_begun.wait(), timeout=20)
    assert models.open_count == 1

    reading.cancel()
    await asyncio.gather(reading, return_exceptions=True)

    assert models.open_count == 0


@pytest.mark.parametrize(("path", "body"), STREAMS)
async def test_a_response_nobody_reads_stops_the_model(api, models: CannedClient, path, body):
    models.answers["parrot"] = [Delta(seq=0, pieces=("Hel",)), 60.0]
    response = await ask(api, path, body)

    await asyncio.to_thread(response.close)

    await asyncio.wait_for(models.all_ended.wait(), timeout=20)


@pytest.mark.parametrize(("path", "body"), STREAMS)
async def test_silence_is_filled_with_comments(
    api, models: CannedClient, inference_setting, path, body
):
    inference_setting(api_ping_interval_s=0.01)
    models.answers["parrot"] = [0.1, *spoken("Hel"), 0.1]

    response = await ask(api, path, body)

    told = b"".join([part async for part in response.streaming_content])
    assert b": ping\n\n" in told
    assert b"Hel" in told
