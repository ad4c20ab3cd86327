"""Writes the binary event streams that `inference.providers.event_stream` reads."""

import json
from struct import pack
from zlib import crc32


def header(name: str, value: str) -> bytes:
    """Return a header with a text."""
    named, told = name.encode(), value.encode()
    return bytes([len(named)]) + named + b"\x07" + pack("!H", len(told)) + told


def raw_message(headers: bytes, payload: bytes) -> bytes:
    """Return a message with both checksums."""
    lengths = pack("!II", 16 + len(headers) + len(payload), len(headers))
    body = lengths + pack("!I", crc32(lengths)) + headers + payload
    return body + pack("!I", crc32(body))


def event(kind: str, payload: object, *, message_type: str = "event") -> bytes:
    """Return an event, or an exception, as Amazon's services stream them."""
    named = "exception" if message_type == "exception" else "event"
    headers = header(f":{named}-type", kind) + header(":content-type", "application/json")
    headers += header(":message-type", message_type)
    return raw_message(headers, json.dumps(payload).encode())
