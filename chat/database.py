"""The door from async code to the database."""

from collections.abc import Callable
from typing import ParamSpec, TypeVar

from channels.db import database_sync_to_async

P = ParamSpec("P")
T = TypeVar("T")


async def in_database(call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Return what a selector or service returns, called in a thread that may touch the database."""
    result: T = await database_sync_to_async(call)(*args, **kwargs)
    return result
