"""Lines and events come out whole, however their bytes were cut."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.exceptions import ProviderError
from inference.providers.wire.lines import LineSplitter, ServerEvent, read_events, read_lines


async def in_chunks(data: bytes, size: int):
    for start in range(0, len(data), size):
        yield data[start : start + size]


async def events_of(data: bytes, *, size: int = 1, limit_bytes: int = 1000) -> list[ServerEvent]:
    chunks = in_chunks(data, size)
    return [event async for event in read_events(chunks, limit_bytes=limit_bytes)]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
async def test_events_are_the_same_for_every_cut_and_line_end(size: int, line_end: str) -> None:
    lines = [
        ": keep-alive",
        "",
        "event: delta",
        "data: 你好",
        "data:👋",
        "id: 1",
        "",
        "data",
        "",
        "",
    ]

    events = await events_of(line_end.join(lines).encode(), size=size)

    assert events == [ServerEvent("delta", "你好\n👋"), ServerEvent("message", "")]


async def test_a_last_event_without_its_empty_line_counts() -> None:
    assert await events_of(b"data: one\n\ndata: two") == [
        ServerEvent("message", "one"),
        ServerEvent("message", "two"),
    ]


async def test_a_byte_order_mark_is_passed_over() -> None:
    data = b"\xef\xbb\xbfdata: one\n\n"

    assert await events_of(data, size=1000) == [ServerEvent("message", "one")]


@pytest.mark.parametrize(
    "data",
    [b"data: " + b"x" * 2000, b"data: " + b"x" * 2000 + b"\n\n", b"data: xxxxxxxxx\n" * 200],
    ids=["without an end", "with an end", "of many lines"],
)
@pytest.mark.parametrize("size", [64, 5000])
async def test_an_event_of_any_size_is_refused(data: bytes, size: int) -> None:
    with pytest.raises(ProviderError, match="cannot be read"):
        await events_of(data, size=size)


async def test_bytes_that_are_no_text_are_refused() -> None:
    with pytest.raises(ProviderError) as caught:
        await events_of(b"data: \xff\xfe\n\n")

    assert caught.value.code == "provider_protocol"


@pytest.mark.parametrize("size", [1, 5, 1000])
async def test_json_lines_end_with_line_feeds_alone(size: int) -> None:
    data = '{"a": "\u2028"}\r\n{"b": 1}\n\n{"c"'.encode()

    lines = [line async for line in read_lines(in_chunks(data, size), limit_bytes=100)]

    assert lines == ['{"a": "\u2028"}', '{"b": 1}', "", '{"c"']


@given(st.lists(st.text(alphabet="aé👋\r\n ", max_size=5), max_size=12), st.integers(1, 9))
def test_the_splitter_agrees_with_cutting_the_whole(parts: list[str], size: int) -> None:
    data = "".join(parts).encode()
    splitter = LineSplitter(1000)

    lines = [line for i in range(0, len(data), size) for line in splitter.feed(data[i : i + size])]
    lines += splitter.close()

    whole = re.split("\r\n|\n|\r", data.decode())
    assert lines == (whole if whole[-1] else whole[:-1])
