"""Bounds what open streams hold: all requests share a few threads and so database connections.

Django gives every request a thread of its own for its synchronous parts, and keeps it, with its
database connection, until the response has ended. An answer that streams for a minute would hold
both for a minute. Here requests share a fixed set of threads, so sixty streams hold eight
connections. Calls that meet on one thread wait for each other; requests do not.
"""

import asyncio
import contextvars
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from asgiref.sync import ThreadSensitiveContext

Application = Callable[[dict[str, Any], Any, Any], Awaitable[None]]


@dataclass(slots=True, eq=False)
class _Lane:
    """One thread and the requests that are on it."""

    context: contextvars.Context
    request_count: int = 0


class BoundedSync:
    """An ASGI application around another one.

    Each request runs in a copy of a context in which asgiref uses the lane's thread. The context
    is never left: a task that outlives its request may go on using the thread.

    Args:
        application: the application.
        threads: how many lanes there are.
    """

    def __init__(self, application: Application, *, threads: int) -> None:
        self._application = application
        self._threads = threads
        self._lanes: list[_Lane] = []
        self._opening = asyncio.Lock()

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        """Serve one request or socket on the lane with the fewest others."""
        if not self._lanes:
            await self._open_lanes()
        lane = min(self._lanes, key=lambda lane: lane.request_count)
        lane.request_count += 1
        try:
            await asyncio.get_running_loop().create_task(
                _serve(self._application, scope, receive, send), context=lane.context.copy()
            )
        finally:
            lane.request_count -= 1

    async def _open_lanes(self) -> None:
        """Open all lanes once; the first requests may come together."""
        async with self._opening:
            if not self._lanes:
                self._lanes = [await _open_lane(number) for number in range(self._threads)]


async def _serve(application: Application, scope: dict[str, Any], receive: Any, send: Any) -> None:
    await application(scope, receive, send)


async def _open_lane(number: int) -> _Lane:
    """Return a lane whose context was entered once and for all."""
    executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix=f"lane-{number}")
    context = contextvars.copy_context()

    async def enter() -> None:
        lane = ThreadSensitiveContext(executor=executor)
        await lane.__aenter__()  # type: ignore[no-untyped-call]  # as asgiref has it

    await asyncio.get_running_loop().create_task(enter(), context=context)
    return _Lane(context)
