"""All requests share a few threads, and what outlives a request may go on using its thread."""

import asyncio
import threading

import pytest
from asgiref.sync import sync_to_async

from fastchat_site.bounded_sync import BoundedSync


def serve(application: BoundedSync, count: int):
    return asyncio.gather(*(application({"type": "http"}, None, None) for _ in range(count)))


async def test_sixty_open_requests_use_eight_threads() -> None:
    seen: set[int] = set()
    has_all = asyncio.Event()

    async def streaming(scope, receive, send) -> None:
        seen.add(await sync_to_async(threading.get_ident)())
        await has_all.wait()
        seen.add(await sync_to_async(threading.get_ident)())

    serving = serve(BoundedSync(streaming, threads=8), 60)
    await asyncio.sleep(0.1)
    has_all.set()
    await serving

    assert len(seen) == 8


async def test_requests_on_different_threads_do_not_wait_for_each_other() -> None:
    together = threading.Barrier(4, timeout=10)

    async def blocking(scope, receive, send) -> None:
        await sync_to_async(together.wait)()

    await serve(BoundedSync(blocking, threads=4), 4)


async def test_a_task_that_outlives_its_request_keeps_its_thread() -> None:
    tasks: list[asyncio.Task[str]] = []

    async def leaving(scope, receive, send) -> None:
        async def late() -> str:
            await asyncio.sleep(0.05)
            return await sync_to_async(lambda: threading.current_thread().name)()

        tasks.append(asyncio.create_task(late()))

    await serve(BoundedSync(leaving, threads=2), 1)

    assert (await tasks[0]).startswith("lane-")


async def test_an_error_and_a_cancellation_pass_through() -> None:
    async def failing(scope, receive, send) -> None:
        raise LookupError("broken")

    was_cancelled = asyncio.Event()

    async def waiting(scope, receive, send) -> None:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            was_cancelled.set()
            raise

    with pytest.raises(LookupError, match="broken"):
        await serve(BoundedSync(failing, threads=1), 1)
    task = asyncio.ensure_future(BoundedSync(waiting, threads=1)({}, None, None))
    await asyncio.sleep(0.05)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert was_cancelled.is_set()


async def test_requests_spread_evenly() -> None:
    names: list[str] = []

    async def noting(scope, receive, send) -> None:
        names.append(await sync_to_async(lambda: threading.current_thread().name)())
        await asyncio.sleep(0.05)

    await serve(BoundedSync(noting, threads=3), 9)

    assert sorted(map(names.count, set(names))) == [3, 3, 3]
