"""Whatever stands in an answer, reading it ends well or in an error of ours."""

import copy
import json
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import httpx2
import pytest

from inference.exceptions import ProviderError
from inference.generation import FinishReason, Usage
from inference.providers.dialects import dialect_named
from inference.providers.event_stream import EventStreamDecoder
from inference.providers.wire.response import WireResponse
from tests.inference.providers import (
    test_anthropic,
    test_bedrock,
    test_cohere,
    test_gemini,
    test_mistral,
    test_reka,
    test_yandex,
)
from tests.support.event_stream import event
from tests.support.wire_server import FAST

CONTRACTS = {
    "anthropic": test_anthropic.TestAnthropic,
    "bedrock": test_bedrock.TestBedrock,
    "cohere": test_cohere.TestCohere,
    "gemini": test_gemini.TestGemini,
    "mistral": test_mistral.TestMistral,
    "openai": test_mistral.TestMistral,  # the same chunks
    "reka": test_reka.TestReka,
    "yandex": test_yandex.TestYandex,
}
ODD = (None, True, -1, 7, 1e400, 10**30, "odd", "", [], [None], [[]], {}, {"text": 7})

Frame = tuple[str, Any]


def frames_of(data: bytes, media_type: str) -> list[Frame]:
    """Return an answer as what stands before each JSON value, and the value."""
    if media_type == test_bedrock.TestBedrock.media_type:
        messages = EventStreamDecoder().feed(data)
        return [(m.header(":event-type"), json.loads(m.payload)) for m in messages]
    frames = []
    for line in data.decode().splitlines():
        before, brace, value = line.partition("{")
        if brace:
            frames.append((before, json.loads(brace + value)))
    return frames


def bytes_of(frames: list[Frame], media_type: str) -> bytes:
    """Return the answer of some frames."""
    if media_type == test_bedrock.TestBedrock.media_type:
        return b"".join(event(kind, value) for kind, value in frames)
    end = "\n\n" if media_type == "text/event-stream" else "\n"
    return "".join(f"{before}{json.dumps(value)}{end}" for before, value in frames).encode()


def places_in(value: Any) -> Iterator[tuple[str | int, ...]]:
    """Yield the path of every value within a value."""
    keys = (
        value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    )
    for key in keys:
        yield (key,)
        for rest in places_in(value[key]):
            yield (key, *rest)


def with_odd(frames: list[Frame], index: int, path: tuple[str | int, ...], odd: Any) -> list[Frame]:
    """Return the frames with one value replaced."""
    changed = copy.deepcopy(frames)
    inner = changed[index][1]
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = odd
    return changed


@pytest.mark.parametrize("name", CONTRACTS)
async def test_every_value_of_an_answer_may_be_odd(name):
    contract = CONTRACTS[name]()
    frames = frames_of(contract.answer_bytes(), contract.media_type)
    tried = 0

    for index, (_, value) in enumerate(frames):
        for path in places_in(value):
            for odd in ODD:
                data = bytes_of(with_odd(frames, index, path, odd), contract.media_type)
                await read_all(name, data, contract.media_type)
                tried += 1

    assert tried > 100


async def read_all(name: str, data: bytes, media_type: str) -> None:
    """Read an answer to its end and look at what came out."""
    response = httpx2.Response(
        200, headers={"content-type": media_type}, stream=httpx2.ByteStream(data)
    )
    with suppress(ProviderError):
        async for piece in dialect_named(name).read(WireResponse(response, FAST)):
            assert isinstance(piece.text, str)
            assert piece.finish_reason is None or isinstance(piece.finish_reason, FinishReason)
            assert piece.usage is None or isinstance(piece.usage, Usage)
            counts = (
                (piece.usage.prompt_tokens, piece.usage.completion_tokens) if piece.usage else ()
            )
            assert all(0 <= count < 10**10 for count in counts)
