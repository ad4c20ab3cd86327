"""A visitor without a browser: one `/ws/battle/` socket and everything it received."""

import asyncio
import json
import urllib.request
from collections.abc import Callable
from http.cookies import SimpleCookie
from types import TracebackType
from typing import Any, Self

from websockets.asyncio.client import ClientConnection, connect

from tests.support.site import Site


class BattleClient:
    """Drives one battle; every frame is kept as text, in order.

    Args:
        site: where to.
        cookie: the `Cookie` header of an earlier visit; None makes a new visitor.
    """

    def __init__(self, site: Site, *, cookie: str | None = None) -> None:
        self.site = site
        self.cookie = cookie
        self.frames: list[str] = []
        self.response_headers = ""
        self.socket: ClientConnection | None = None

    async def __aenter__(self) -> Self:
        self.cookie = self.cookie or await asyncio.to_thread(first_visit, self.site)
        self.socket = await connect(
            f"{self.site.socket_address}/ws/battle/",
            additional_headers={"Origin": self.site.address, "Cookie": self.cookie},
        )
        assert self.socket.response is not None
        self.response_headers = str(self.socket.response.headers)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self.socket is not None
        await self.socket.close()

    async def send(self, **event: Any) -> None:
        """Send one event."""
        assert self.socket is not None
        await self.socket.send(json.dumps(event))

    async def receive(self, *, timeout_s: float = 60.0) -> dict[str, Any]:
        """Return the next event."""
        assert self.socket is not None
        frame = await asyncio.wait_for(self.socket.recv(), timeout_s)
        self.frames.append(str(frame))
        event: dict[str, Any] = json.loads(frame)
        return event

    async def receive_until(
        self, is_wanted: Callable[[dict[str, Any]], bool], *, timeout_s: float = 60.0
    ) -> dict[str, Any]:
        """Read on until an event fits and return it; an error that does not fit fails the test."""
        async with asyncio.timeout(timeout_s):
            while True:
                event = await self.receive(timeout_s=timeout_s)
                if is_wanted(event):
                    return event
                assert event["type"] != "error", event

    async def play(self, text: str) -> dict[str, str]:
        """Send a prompt, wait until both sides are done and return their texts."""
        await self.send(type="prompt", text=text)
        texts = {"a": "", "b": ""}
        open_sides = {"a", "b"}
        while open_sides:
            event = await self.receive()
            assert event["type"] != "error", event
            if event["type"] == "delta":
                texts[event["side"]] += event["text"]
            elif event["type"] == "done":
                open_sides.discard(event["side"])
        return texts

    async def vote(self, winner: str) -> dict[str, Any]:
        """Vote and return the revealing event."""
        await self.send(type="vote", winner=winner)
        return await self.receive_until(lambda event: event["type"] == "voted")


def first_visit(site: Site) -> str:
    """Open the battle page as a new visitor and return the `Cookie` header of the visits after."""
    with urllib.request.urlopen(site.address, timeout=30) as answer:
        cookies = SimpleCookie()
        for header in answer.headers.get_all("Set-Cookie"):
            cookies.load(header)
    return "; ".join(f"{name}={morsel.value}" for name, morsel in cookies.items())
