"""A visitor without a browser: one `/ws/battle/` socket and everything it received."""

import asyncio
import json
from collections.abc import Callable
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
        headers = {"Origin": self.site.address}
        if self.cookie:
            headers["Cookie"] = self.cookie
        self.socket = await connect(
            f"{self.site.socket_address}/ws/battle/", additional_headers=headers
        )
        assert self.socket.response is not None
        self.response_headers = str(self.socket.response.headers)
        fresh = self.socket.response.headers.get("Set-Cookie")
        self.cookie = fresh.split(";")[0] if fresh else self.cookie
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
        """Read on until an event fits and return it."""
        async with asyncio.timeout(timeout_s):
            while True:
                event = await self.receive(timeout_s=timeout_s)
                if is_wanted(event):
                    return event

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
