"""Sockets of the site without a server: a visitor with a session, scripted models behind it."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from channels.testing import WebsocketCommunicator

from chat.visitors import SESSION_ENTRY, Visitor, visitor_of_scope
from fastchat_site.asgi import application

Event = dict[str, Any]
ORIGIN = (b"origin", b"http://testserver")


class EventCommunicator(WebsocketCommunicator):
    """A communicator that speaks events and keeps every frame and header it has seen."""

    def __init__(self, path: str, *, cookie: str = "", headers: list[Any] | None = None) -> None:
        wanted = [ORIGIN] if headers is None else headers
        if cookie:
            wanted = [*wanted, (b"cookie", cookie.encode())]
        super().__init__(application, path, headers=[(b"host", b"testserver"), *wanted])
        self.frames: list[str] = []
        self.cookie = cookie

    async def open(self) -> None:
        """Connect, keeping the cookie of a new session."""
        await self.send_input({"type": "websocket.connect"})
        answer = await self.receive_output(timeout=20)
        assert answer["type"] == "websocket.accept", answer
        self.frames.append(repr(answer.get("headers")))
        for name, value in answer.get("headers") or ():
            if name == b"set-cookie":
                self.cookie = value.decode().split(";")[0]

    async def say(self, **event: Any) -> None:
        """Send one event."""
        await self.send_to(text_data=json.dumps(event))

    async def hear(self) -> Event:
        """Return the next event."""
        frame = await self.receive_from(timeout=20)
        self.frames.append(frame)
        event: Event = json.loads(frame)
        return event

    async def hear_until(self, is_last: Callable[[list[Event]], bool]) -> list[Event]:
        """Return the events up to the one that makes the condition true."""
        events: list[Event] = []
        async with asyncio.timeout(30):
            while not events or not is_last(events):
                events.append(await self.hear())
        return events


@asynccontextmanager
async def open_socket(path: str, **options: Any) -> AsyncIterator[EventCommunicator]:
    """Yield a connected socket."""
    socket = EventCommunicator(path, **options)
    await socket.open()
    try:
        yield socket
    finally:
        await socket.disconnect()


def both_ended(events: list[Event]) -> bool:
    """Tell whether both sides of a battle have ended, well or not."""
    return {event["side"] for event in events if is_end(event) and "side" in event} == {"a", "b"}


def has_ended(events: list[Event]) -> bool:
    """Tell whether the answer of a chat has ended, well or not."""
    return is_end(events[-1])


def is_end(event: Event) -> bool:
    """Tell whether an event is the last one of an answer."""
    return event["type"] in {"done", "error"}


def text_of(events: list[Event], side: str | None = None) -> str:
    """Return the text of the deltas of a side, in order."""
    return "".join(
        event["text"]
        for event in events
        if event["type"] == "delta" and (side is None or event["side"] == side)
    )


def some_visitor(name: str = "v", *, network: str = "n") -> Visitor:
    """Return a visitor without a session."""
    return Visitor(key=f"{name:0>32}", network=f"{network:0>32}")


def visitor_of_session(session: dict[str, Any]) -> Visitor:
    """Return the visitor that a session's data makes."""
    assert SESSION_ENTRY in session
    return visitor_of_scope({"session": session, "client": ("127.0.0.1", 1)})
