"""The binary event streams of Amazon's services: messages with headers, under two checksums.

    bytes in all (4) · bytes of headers (4) · CRC-32 of these 8 (4) · headers · payload · CRC-32 (4)

Source:
    Smithy, "Amazon Event Stream Specification",
    https://smithy.io/2.0/aws/amazon-eventstream.html.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from struct import Struct
from uuid import UUID
from zlib import crc32

PRELUDE = Struct("!III")
LENGTHS = Struct("!II")
CHECKSUM = Struct("!I")
TEXT_LENGTH = Struct("!H")
SMALLEST_MESSAGE_BYTES = PRELUDE.size + CHECKSUM.size
# The encoding allows 16 MB; the events of a conversation are small, and we wait for whole ones.
MESSAGE_BYTES = 1 << 20

HeaderValue = bool | int | bytes | str | UUID


class EventStreamError(ValueError):
    """The bytes are no event stream, or some were lost or changed on the way."""


@dataclass(frozen=True, slots=True)
class StreamMessage:
    """One message of a stream, its checksums verified."""

    headers: Mapping[str, HeaderValue]
    payload: bytes

    def header(self, name: str) -> str:
        """Return a header as text; "" where it is absent."""
        return str(self.headers.get(name, ""))


class EventStreamDecoder:
    """Cuts bytes, in whatever pieces they arrive, into messages."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[StreamMessage]:
        """Take the next bytes; yield the messages they complete.

        Raises:
            EventStreamError: a checksum or a length is wrong, or a message is too large.
        """
        self._buffer += data
        while (size := self._whole_message_bytes()) is not None:
            message = bytes(self._buffer[:size])
            del self._buffer[:size]
            yield read_message(message)

    def close(self) -> None:
        """Say that nothing follows.

        Raises:
            EventStreamError: the stream ends within a message.
        """
        if self._buffer:
            raise EventStreamError("the event stream ends within a message")

    def _whole_message_bytes(self) -> int | None:
        """Return the size of the first message once all of it is there."""
        if len(self._buffer) < PRELUDE.size:
            return None
        size, header_bytes, checksum = PRELUDE.unpack_from(self._buffer)
        # Checked at once: a damaged length would make us wait for bytes that never come.
        if crc32(self._buffer[: LENGTHS.size]) != checksum:
            raise EventStreamError("the prelude of an event has a wrong checksum")
        if not SMALLEST_MESSAGE_BYTES + header_bytes <= size <= MESSAGE_BYTES:
            raise EventStreamError(f"an event says that it has {size} bytes")
        return size if len(self._buffer) >= size else None


def read_message(data: bytes) -> StreamMessage:
    """Read one whole message.

    Raises:
        EventStreamError: its checksum is wrong, or its headers make no sense.
    """
    _, header_bytes, _ = PRELUDE.unpack_from(data)
    body = data[: -CHECKSUM.size]
    if crc32(body) != CHECKSUM.unpack_from(data, len(body))[0]:
        raise EventStreamError("an event has a wrong checksum")
    headers_end = PRELUDE.size + header_bytes
    return StreamMessage(dict(_read_headers(body[PRELUDE.size : headers_end])), body[headers_end:])


# Kinds of header values by their number; the kinds 6 and 7 tell their own length.
FLAGS = {0: True, 1: False}
INTEGER_BYTES = {2: 1, 3: 2, 4: 4, 5: 8, 8: 8}
BYTES_KIND, TEXT_KIND, UUID_KIND = 6, 7, 9
UUID_BYTES = 16


def _read_headers(data: bytes) -> Iterator[tuple[str, HeaderValue]]:
    reader = _Reader(data)
    while reader.left:
        name = reader.take(reader.take(1)[0]).decode(errors="replace")
        yield name, _read_value(reader, kind=reader.take(1)[0])


def _read_value(reader: "_Reader", *, kind: int) -> HeaderValue:
    if kind in FLAGS:
        return FLAGS[kind]
    if kind in INTEGER_BYTES:
        return int.from_bytes(reader.take(INTEGER_BYTES[kind]), "big", signed=True)
    if kind == UUID_KIND:
        return UUID(bytes=reader.take(UUID_BYTES))
    if kind not in (BYTES_KIND, TEXT_KIND):
        raise EventStreamError(f"a header has the unknown kind {kind}")
    value = reader.take(TEXT_LENGTH.unpack(reader.take(TEXT_LENGTH.size))[0])
    return value if kind == BYTES_KIND else value.decode(errors="replace")


class _Reader:
    """Takes bytes off the front."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    @property
    def left(self) -> int:
        return len(self._data) - self._at

    def take(self, count: int) -> bytes:
        if count > self.left:
            raise EventStreamError("the headers of an event are cut")
        self._at += count
        return self._data[self._at - count : self._at]
