"""Readers of the API's streams, as cheap as they can be: lines from a socket, no HTTP library."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass

from benchmarks.api_script import MODEL, SCRIPTS, Reading, prompt_of, request_of
from inference.providers.scripted import ScriptedSource

PATIENCE_S = 120.0  # longest wait for a line
OPENED_AT_ONCE = 20  # silent streams that are being opened side by side


class BrokenAnswerError(Exception):
    """A server did not answer as it should; the message shows what came."""


async def bare_reading(prompt: str) -> Reading:
    """Read one answer from the script in this process."""
    start_s = time.monotonic()
    times_s: list[float] = []
    pieces: list[str] = []
    async with aclosing(ScriptedSource(SCRIPTS["paced"]).stream(request_of(prompt))) as outputs:
        async for output in outputs:
            if output.pieces:
                times_s.append(time.monotonic())
                pieces += output.pieces
    return Reading("".join(pieces), start_s, tuple(times_s))


async def served_reading(port: int, prompt: str) -> Reading:
    """Read one answer from a server, on a connection of its own.

    Raises:
        BrokenAnswerError: it is refused, or ends before `[DONE]`.
    """
    start_s = time.monotonic()
    times_s: list[float] = []
    pieces: list[str] = []
    async with stream_of(port, prompt) as lines:
        while (data := await next_data(lines)) != b"[DONE]":
            if text := text_of(data):
                times_s.append(time.monotonic())
                pieces.append(text)
    return Reading("".join(pieces), start_s, tuple(times_s))


async def all_readings(port: int | None, streams: int, repetitions: int) -> list[Reading]:
    """Read answers in so many streams at once; without a port from the script itself.

    Each stream asks again when it has its answer. They start within a second, not all at once.
    """

    async def read(stream: int) -> list[Reading]:
        await asyncio.sleep(stream / streams)
        prompts = [prompt_of(stream, repetition) for repetition in range(repetitions)]
        if port is None:
            return [await bare_reading(prompt) for prompt in prompts]
        return [await served_reading(port, prompt) for prompt in prompts]

    readings = await asyncio.gather(*map(read, range(streams)))
    return [reading for answers in readings for reading in answers]


@dataclass(slots=True)
class SilentReaders:
    """Streams that stay open after their first token.

    Attributes:
        port: of the server.
        comments: keep-alive comments that have come, all streams together.
        lost: streams that the server ended.
    """

    port: int
    comments: int = 0
    lost: int = 0

    @asynccontextmanager
    async def open(self, streams: int) -> AsyncIterator[None]:
        """Hold so many streams open; inside, all have had their first token."""
        turns = asyncio.Semaphore(OPENED_AT_ONCE)
        begun = [asyncio.Event() for _ in range(streams)]

        async def read(stream: int) -> None:
            await turns.acquire()
            try:
                async with stream_of(self.port, prompt_of(stream, 0)) as lines:
                    while not text_of(await next_data(lines)):
                        pass
                    turns.release()
                    begun[stream].set()
                    while line := await lines.readline():
                        self.comments += line.startswith(b":")
            except (OSError, BrokenAnswerError):
                turns.release()
            self.lost += 1
            begun[stream].set()

        tasks = [asyncio.create_task(read(stream)) for stream in range(streams)]
        try:
            await asyncio.gather(*(event.wait() for event in begun))
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


@asynccontextmanager
async def stream_of(port: int, prompt: str) -> AsyncIterator[asyncio.StreamReader]:
    """Ask for a streamed chat completion; yield what reads its lines, headers and all."""
    lines, writer = await asyncio.open_connection("127.0.0.1", port)
    asked = {"model": MODEL, "messages": [{"role": "user", "content": prompt}], "stream": True}
    body = json.dumps(asked).encode()
    head = (
        "POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    try:
        writer.write(head.encode() + body)
        yield lines
    finally:
        writer.close()


async def next_data(lines: asyncio.StreamReader) -> bytes:
    """Return the data of the next event.

    Raises:
        BrokenAnswerError: the stream has ended.
    """
    seen = b""
    async with asyncio.timeout(PATIENCE_S):
        while line := await lines.readline():
            if line.startswith(b"data: "):
                return line[6:].strip()
            seen = line if line.strip() else seen
    raise BrokenAnswerError(f"the stream ended after {seen[:300]!r}")


def text_of(data: bytes) -> str:
    """Return the text that one event adds.

    Raises:
        BrokenAnswerError: the event tells of an error.
    """
    event = json.loads(data)
    if "choices" not in event:
        raise BrokenAnswerError(data[:300].decode("utf-8", "replace"))
    choices = event["choices"]
    return str(choices[0]["delta"].get("content") or "") if choices else ""
