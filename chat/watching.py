"""Who watches an answer: a note that all web processes see and that fades by itself."""

import asyncio
import logging
import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from django.core.cache import cache

from chat.conf import chat_settings
from inference import client

logger = logging.getLogger(__name__)


@asynccontextmanager
async def watching(request_id: str) -> AsyncIterator[None]:
    """Tell all processes, for as long as this lasts, that somebody watches the answer."""

    async def keep_marked() -> None:
        while True:
            await mark_watched(request_id)
            await asyncio.sleep(chat_settings().abandoned_after_s / 4)

    keeper = asyncio.create_task(keep_marked())
    try:
        yield
    finally:
        keeper.cancel()


async def mark_watched(request_id: str) -> None:
    """Note that somebody is watching an answer now; the note fades by itself."""
    try:
        lifetime_s = math.ceil(chat_settings().abandoned_after_s)  # Redis counts whole seconds
        await cache.aset(_watch_key(request_id), 1, timeout=lifetime_s)
    except Exception:
        logger.warning("the cache does not answer", exc_info=True)


async def cancel_when_abandoned(request_id: str) -> None:
    """Cancel an answer once nobody has watched it for the time of the settings."""
    while True:
        await asyncio.sleep(chat_settings().abandoned_after_s / 2)
        try:
            if await cache.aget(_watch_key(request_id)) is None:
                await client.cancel(request_id)
                return
        except Exception:
            logger.warning("cannot tell whether anybody watches", exc_info=True)


def _watch_key(request_id: str) -> str:
    return f"watched:{request_id}"
