"""Lines and server-sent events out of chunks that are cut anywhere."""

import re
from collections.abc import AsyncGenerator, AsyncIterable, Iterator
from dataclasses import dataclass

from inference.exceptions import ProviderError
from inference.providers.wire.faults import fault

SSE_LINE_END = re.compile(rb"\r\n|\n|\r")
JSON_LINE_END = re.compile(rb"\n")
BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class LineSplitter:
    """Cuts a stream of bytes into lines, whatever the chunks.

    A line is decoded when it is whole, so that a character cut by two chunks stays one.

    Args:
        limit_bytes: longest line.
        line_end: what ends a line.
    """

    def __init__(self, limit_bytes: int, line_end: re.Pattern[bytes] = SSE_LINE_END) -> None:
        self._limit_bytes = limit_bytes
        self._line_end = line_end
        self._rest = bytearray()
        self._fresh_from = 0  # no line ends before

    def feed(self, chunk: bytes) -> Iterator[str]:
        """Yield the lines this chunk completes, without their ends.

        Raises:
            ProviderError: a line is too long or is not UTF-8.
        """
        self._rest += chunk
        start, position = 0, self._fresh_from
        while match := self._line_end.search(self._rest, position):
            if match.end() == len(self._rest) and match[0] == b"\r":
                break  # its line feed may come with the next chunk
            line, start = bytes(self._rest[start : match.start()]), match.end()
            position = start
            yield self._decode(line)
        del self._rest[:start]
        self._fresh_from = max(0, len(self._rest) - 1)
        if len(self._rest) > self._limit_bytes:
            raise _too_long(self._limit_bytes)

    def close(self) -> Iterator[str]:
        """Yield what stands after the last line end, if anything does."""
        rest, self._rest = bytes(self._rest), bytearray()
        if rest:
            yield self._decode(rest.removesuffix(b"\r"))

    def _decode(self, line: bytes) -> str:
        if len(line) > self._limit_bytes:
            raise _too_long(self._limit_bytes)
        try:
            return line.decode()
        except UnicodeDecodeError:
            raise fault("provider_protocol", "not UTF-8") from None


def _too_long(limit_bytes: int) -> ProviderError:
    return fault("provider_protocol", f"a line or event of more than {limit_bytes} bytes")


@dataclass(frozen=True, slots=True)
class ServerEvent:
    """One server-sent event: its name ("message" where none is given) and its data."""

    name: str
    data: str


async def read_lines(
    chunks: AsyncIterable[bytes], *, limit_bytes: int
) -> AsyncGenerator[str, None]:
    """Yield the lines of a stream that ends them with LF or CRLF, the last one ended or not.

    Raises:
        ProviderError: a line is too long or is not UTF-8.
    """
    splitter = LineSplitter(limit_bytes, JSON_LINE_END)
    async for chunk in chunks:
        for line in splitter.feed(chunk):
            yield line.removesuffix("\r")
    for line in splitter.close():
        yield line


async def read_events(
    chunks: AsyncIterable[bytes], *, limit_bytes: int
) -> AsyncGenerator[ServerEvent, None]:
    """Yield the server-sent events of a stream.

    Comments and the fields `id` and `retry` are passed over. An event that is not closed by an
    empty line before the stream ends still counts: some servers forget the last one.

    Raises:
        ProviderError: an event is too long or is not UTF-8.

    Source:
        WHATWG HTML, "Server-sent events", section 9.2.6.
    """
    splitter = LineSplitter(limit_bytes)
    event = _EventInMaking(limit_bytes)
    is_first = True
    async for chunk in chunks:
        data = chunk.removeprefix(BYTE_ORDER_MARK) if is_first else chunk
        is_first = False
        for line in splitter.feed(data):
            if (ready := event.add(line)) is not None:
                yield ready
    for line in [*splitter.close(), ""]:
        if (ready := event.add(line)) is not None:
            yield ready


class _EventInMaking:
    """Collects the lines of one event."""

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._name = ""
        self._data: list[str] = []
        self._chars = 0

    def add(self, line: str) -> ServerEvent | None:
        """Take a line; return the event it closes."""
        if not line:
            event = ServerEvent(self._name or "message", "\n".join(self._data))
            is_told = bool(self._data)
            self._name, self._data, self._chars = "", [], 0
            return event if is_told else None
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if field == "event":
            self._name = value
        elif field == "data":
            self._data.append(value)
            self._chars += len(value) + 1
            if self._chars > self._limit_bytes:
                raise _too_long(self._limit_bytes)
        return None
