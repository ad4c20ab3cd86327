"""The site's bus as the settings describe it, and how async code asks it."""

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import ParamSpec, TypeVar

from inference.bus import Bus, BusConfig, close_bus, open_bus
from inference.conf import InferenceSettings, inference_settings

logger = logging.getLogger(__name__)

P = ParamSpec("P")
T = TypeVar("T")

# A worker in the readers' own process cannot die alone: its silence means a busy machine.
LOCAL_PATIENCE = 5

_threads = ThreadPoolExecutor(max_workers=8, thread_name_prefix="bus")


def bus_config(settings: InferenceSettings) -> BusConfig:
    """Return the bus's part of the settings."""
    return BusConfig(
        redis_url=settings.redis_url,
        heartbeat_ttl_s=settings.heartbeat_ttl_s * (1 if settings.redis_url else LOCAL_PATIENCE),
        log_ttl_s=settings.log_ttl_s,
        finished_log_ttl_s=settings.finished_log_ttl_s,
        timeout_s=settings.bus_timeout_s,
        pause_s=settings.bus_pause_s,
    )


def site_bus() -> Bus:
    """Return this process's bus."""
    return open_bus(bus_config(inference_settings()))


def close_site_bus() -> None:
    """Close this process's bus, at the end of the process or of a test."""
    close_bus(bus_config(inference_settings()))


async def ask(question: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Return what a call to the bus returns, without holding up the event loop."""
    if not getattr(getattr(question, "__self__", None), "blocks", True):
        return question(*args, **kwargs)
    loop = asyncio.get_running_loop()
    return await loop.run_in_executor(_threads, partial(question, *args, **kwargs))


def post(call: Callable[P, object], *args: P.args, **kwargs: P.kwargs) -> None:
    """Make a call to the bus in the background; a failure is logged."""

    def run() -> None:
        try:
            call(*args, **kwargs)
        except Exception as error:  # nobody waits who could handle it
            logger.warning("%s did not work: %s", getattr(call, "__name__", call), error)

    _threads.submit(run)
