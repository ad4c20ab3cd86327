"""A server's answer as it streams in: every chunk in time, the whole within its bound."""

import asyncio
import json
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Any

import httpx2

from inference.providers.wire.faults import fault
from inference.providers.wire.limits import WireLimits
from inference.providers.wire.lines import ServerEvent, read_events, read_lines


class WireResponse:
    """The body of a successful answer, to be read once and by one of its methods.

    All of them raise `ProviderError`: on silence, a cut connection, or more than was agreed.

    Args:
        response: the open response.
        limits: its bounds.

    Attributes:
        headers: names in lower case.
        media_type: without parameters, in lower case; empty where none is given.
    """

    def __init__(self, response: httpx2.Response, limits: WireLimits) -> None:
        self._response = response
        self._limits = limits
        self.headers: Mapping[str, str] = response.headers
        self.media_type = response.headers.get("content-type", "").split(";")[0].strip().lower()

    def expect(self, *media_types: str) -> None:
        """Return if the answer is of one of these types; one that gives none passes.

        Raises:
            ProviderError: it is something else, such as a page of a proxy.
        """
        if self.media_type and self.media_type not in media_types:
            raise fault("provider_protocol", f"content type {self.media_type!r}")

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        """Yield the body as it comes."""
        total = 0
        async with aclosing(self._raw_chunks()) as chunks:
            while (chunk := await self._next(chunks)) is not None:
                total += len(chunk)
                if total > self._limits.answer_bytes:
                    raise fault("provider_protocol", f"more than {self._limits.answer_bytes} bytes")
                yield chunk

    async def events(self) -> AsyncGenerator[ServerEvent, None]:
        """Yield the body as server-sent events."""
        async with aclosing(self.chunks()) as chunks:
            events = read_events(chunks, limit_bytes=self._limits.event_bytes)
            async with aclosing(events):
                async for event in events:
                    yield event

    async def json_lines(self) -> AsyncGenerator[dict[str, Any], None]:
        """Yield the body as objects, one a line; empty lines are passed over."""
        async with aclosing(self.chunks()) as chunks:
            lines = read_lines(chunks, limit_bytes=self._limits.event_bytes)
            async with aclosing(lines):
                async for line in lines:
                    if line.strip():
                        yield parse_object(line)

    async def body(self) -> bytes:
        """Return the whole body."""
        async with aclosing(self.chunks()) as chunks:
            return b"".join([chunk async for chunk in chunks])

    async def json(self) -> dict[str, Any]:
        """Return the whole body as one object."""
        return parse_object((await self.body()).decode("utf-8", "replace"))

    async def _raw_chunks(self) -> AsyncGenerator[bytes, None]:
        if self._response.headers.get("content-encoding", "identity") != "identity":
            raise fault("provider_protocol", "compressed, although that was not asked for")
        async with aclosing(self._response.aiter_raw()) as chunks:
            async for chunk in chunks:
                yield chunk

    async def _next(self, chunks: AsyncGenerator[bytes, None]) -> bytes | None:
        try:
            async with asyncio.timeout(self._limits.idle_s):
                return await anext(chunks, None)
        except TimeoutError:
            raise fault("provider_silent", f"silent for {self._limits.idle_s} s") from None
        except httpx2.TransportError as error:
            raise fault("provider_cut_off", f"{type(error).__name__}: {error}") from error


def parse_object(text: str) -> dict[str, Any]:
    """Return a JSON object.

    Raises:
        ProviderError: it is not JSON, nested too deeply, or not an object.
    """
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        raise fault("provider_protocol", f"not JSON: {text[:200]!r}") from None
    if not isinstance(value, dict):
        raise fault("provider_protocol", f"not an object: {text[:200]!r}")
    return value
