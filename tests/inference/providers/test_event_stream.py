"""Binary event streams are read whole, and damage is noticed."""

from struct import pack
from uuid import UUID
from zlib import crc32

import pytest
from botocore.eventstream import EventStreamBuffer
from hypothesis import given, settings
from hypothesis import strategies as st

from inference.providers.event_stream import EventStreamDecoder, EventStreamError, StreamMessage
from tests.support.event_stream import event, header, raw_message

GREETING = event("contentBlockDelta", {"delta": {"text": "Grüße"}})
FAREWELL = event("messageStop", {"stopReason": "end_turn"})


def decode(data: bytes, *, step: int = 1 << 16) -> list[StreamMessage]:
    decoder = EventStreamDecoder()
    pieces = (data[at : at + step] for at in range(0, len(data), step))
    messages = [message for piece in pieces for message in decoder.feed(piece)]
    decoder.close()
    return messages


@pytest.mark.parametrize("step", [1, 7, 64, 1 << 16])
def test_messages_are_read_however_the_bytes_arrive(step):
    messages = decode(GREETING + FAREWELL, step=step)

    assert [message.header(":event-type") for message in messages] == [
        "contentBlockDelta",
        "messageStop",
    ]
    assert "Gr\\u00fc\\u00dfe" in messages[0].payload.decode()


@settings(max_examples=50)
@given(st.dictionaries(st.text(min_size=1, max_size=9), st.text(max_size=40)), st.binary())
def test_we_read_what_amazons_own_reader_reads(headers, payload):
    data = raw_message(b"".join(header(*entry) for entry in headers.items()), payload)

    theirs = EventStreamBuffer()
    theirs.add_data(data)
    expected = theirs.next()

    (message,) = decode(data)
    assert dict(message.headers) == expected.headers
    assert message.payload == expected.payload


def test_every_kind_of_header_is_read():
    uuid = UUID(int=7)
    values = {
        "yes": b"\x00",
        "no": b"\x01",
        "byte": b"\x02\xff",
        "short": b"\x03" + pack("!h", -2),
        "int": b"\x04" + pack("!i", 3),
        "long": b"\x05" + pack("!q", 4),
        "bytes": b"\x06\x00\x02ab",
        "text": b"\x07\x00\x02cd",
        "time": b"\x08" + pack("!q", 5),
        "uuid": b"\x09" + uuid.bytes,
    }
    data = b"".join(bytes([len(name)]) + name.encode() + value for name, value in values.items())

    (message,) = decode(raw_message(data, b""))

    assert message.headers == {
        "yes": True,
        "no": False,
        "byte": -1,
        "short": -2,
        "int": 3,
        "long": 4,
        "bytes": b"ab",
        "text": "cd",
        "time": 5,
        "uuid": uuid,
    }


@pytest.mark.parametrize("place", range(len(FAREWELL)))
def test_a_changed_bit_is_noticed_wherever_it_is(place):
    damaged = bytearray(FAREWELL)
    damaged[place] ^= 0x10

    with pytest.raises(EventStreamError):
        decode(bytes(damaged))


def test_a_stream_that_ends_within_a_message_is_noticed():
    with pytest.raises(EventStreamError, match="ends within"):
        decode(GREETING + FAREWELL[:-1])


def test_a_message_that_says_it_is_huge_is_refused_before_it_arrives():
    decoder = EventStreamDecoder()
    lengths = pack("!II", 1 << 30, 0)

    with pytest.raises(EventStreamError, match="1073741824 bytes"):
        list(decoder.feed(lengths + pack("!I", crc32(lengths))))


@pytest.mark.parametrize("headers", [b"\x05ab", b"\x01a\x0b", b"\x01a\x07\x00\x09abc"])
def test_headers_that_make_no_sense_are_refused(headers):
    with pytest.raises(EventStreamError, match="header"):
        decode(raw_message(headers, b"{}"))
