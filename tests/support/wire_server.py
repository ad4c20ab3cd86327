"""A server that says exactly what a test tells it to say, in the bytes the test wants."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from inference.generation import GenerationRequest, SamplingParams
from inference.messages import Message, Role
from inference.providers.dialects import dialect_named
from inference.providers.remote import RemoteSource
from inference.providers.server import Server
from inference.providers.wire.client import close_client_of_loop
from inference.providers.wire.limits import WireLimits

EVENTS = "text/event-stream"
JSON = "application/json"
FAST = WireLimits(connect_s=5, first_byte_s=5, idle_s=0.3, tries=3, retry_budget_s=5)


@dataclass(frozen=True, slots=True)
class Heard:
    """A request as it came in."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


@dataclass(frozen=True, slots=True)
class Canned:
    """One answer.

    Attributes:
        chunks: what is sent, each chunk in a write of its own.
        is_cut: the connection breaks after the chunks, in the middle of the body.
        hangs: nothing more comes, and the connection stays open.
        is_mute: not even a status comes.
    """

    chunks: Sequence[bytes] = ()
    status: int = 200
    media_type: str = EVENTS
    headers: dict[str, str] = field(default_factory=dict)
    is_cut: bool = False
    hangs: bool = False
    is_mute: bool = False

    @classmethod
    def of_json(cls, value: Any, *, status: int = 200, **headers: str) -> "Canned":
        """An answer with a JSON body."""
        names = {name.replace("_", "-"): text for name, text in headers.items()}
        return cls((json.dumps(value).encode(),), status=status, media_type=JSON, headers=names)


def sse(*data: Any, ends_with: str | None = None) -> bytes:
    """Return server-sent events of JSON values; `ends_with` is sent as it is in the last one."""
    texts = [json.dumps(value, ensure_ascii=False) for value in data]
    texts += [] if ends_with is None else [ends_with]
    return "".join(f"data: {text}\n\n" for text in texts).encode()


def named_sse(*events: tuple[str, Any]) -> bytes:
    """Return server-sent events with names."""
    return "".join(
        f"event: {name}\ndata: {json.dumps(data, ensure_ascii=False)}\n\n" for name, data in events
    ).encode()


def bytewise(data: bytes) -> list[bytes]:
    """Return data in chunks of one byte, so that every character and line is cut."""
    return [data[i : i + 1] for i in range(len(data))]


class WireServer:
    """Gives the answers in the order they were set; the last one again and again.

    Attributes:
        url: its address, without a slash at the end.
        heard: the requests so far.
        left: set when a client closed a connection on which an answer was still open.
    """

    def __init__(self) -> None:
        self.url = ""
        self.heard: list[Heard] = []
        self.left = asyncio.Event()
        self._answers: list[Canned] = []
        self._open: set[asyncio.Task[None]] = set()

    def answer(self, *answers: Canned) -> None:
        """Set what is answered from now on."""
        self._answers = list(answers)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one request and close."""
        task = asyncio.current_task()
        assert task is not None
        self._open.add(task)
        try:
            self.heard.append(await _hear(reader))
            answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
            await self._say(answer, reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            self.left.set()
        finally:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()
            self._open.discard(task)

    async def settle(self) -> None:
        """Return once nobody is connected any more."""
        await asyncio.gather(*self._open)

    async def _say(
        self, answer: Canned, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        if answer.is_mute:
            await reader.read()
            return
        headers = {
            "Content-Type": answer.media_type,
            "Transfer-Encoding": "chunked",
            "Connection": "close",
            **answer.headers,
        }
        head = "".join(f"{name}: {value}\r\n" for name, value in headers.items() if value)
        writer.write(f"HTTP/1.1 {answer.status} Said\r\n{head}\r\n".encode())
        for chunk in answer.chunks:
            writer.write(f"{len(chunk):x}\r\n".encode() + chunk + b"\r\n")
            await writer.drain()
            await asyncio.sleep(0)
        if answer.hangs:
            await reader.read()
            self.left.set()
        elif not answer.is_cut:
            writer.write(b"0\r\n\r\n")
            await writer.drain()


async def _hear(reader: asyncio.StreamReader) -> Heard:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").splitlines()
    method, path, _ = head[0].split(" ")
    pairs = (line.partition(":") for line in head[1:] if line)
    headers = {name.lower(): value.strip() for name, _, value in pairs}
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    return Heard(method, path, headers, body)


@asynccontextmanager
async def wire_server() -> AsyncIterator[WireServer]:
    """Run a server on a free port of the loopback interface, and clean up after its clients."""
    canned = WireServer()
    server = await asyncio.start_server(canned.serve, "127.0.0.1", 0)
    canned.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield canned
    finally:
        await close_client_of_loop()
        server.close()
        await server.wait_closed()
        await canned.settle()


def a_server(dialect: str, url: str, **values: Any) -> Server:
    """Return a server for `there`, called `here` on this side."""
    values = {"model": "here", "name_there": "there", **values}
    return Server(dialect=dialect, url=url, **values)


def a_request(text: str = "Say hello.", system: str = "", **params: Any) -> GenerationRequest:
    """Return a request with one user message."""
    opening = (Message(Role.SYSTEM, system),) if system else ()
    return GenerationRequest("here", (*opening, Message(Role.USER, text)), SamplingParams(**params))


@dataclass(frozen=True, slots=True)
class Told:
    """A whole answer as a `RemoteSource` gave it."""

    pieces: tuple[str, ...]
    finish_reason: Any
    usage: Any

    @property
    def text(self) -> str:
        """All pieces."""
        return "".join(self.pieces)


async def ask(
    server: Server, request: GenerationRequest | None = None, limits: WireLimits = FAST
) -> Told:
    """Ask a server as the site does and return the whole answer.

    Raises:
        InferenceError: as `RemoteSource.stream`.
    """
    source = RemoteSource(server, dialect_named(server.dialect), limits)
    outputs = [output async for output in source.stream(request or a_request())]
    pieces = tuple(piece for output in outputs for piece in output.pieces)
    return Told(pieces, outputs[-1].finish_reason, outputs[-1].usage)
