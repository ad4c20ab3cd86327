"""Whatever the order and number of events, a reader gets every token once."""

import asyncio
import random
from itertools import pairwise

from inference.bus.events import Event
from inference.client.subscription import Subscription
from inference.generation import Delta, Failure, FinishReason, LikelyToken, TokenScore

RID = "a" * 32


def a_reader(from_seq: int = 0) -> tuple[Subscription, list[str]]:
    asked: list[str] = []
    return Subscription(RID, from_seq, asked.append), asked


def event(seq: int, *pieces: str, attempt: int = 0, is_last: bool = False) -> Event:
    reason = FinishReason.STOP if is_last else None
    return Event(RID, attempt, seq, pieces, finish_reason=reason)


async def read_all(reader: Subscription) -> list[Delta]:
    async with asyncio.timeout(10):
        return [delta async for delta in reader.deltas()]


async def test_what_has_come_meanwhile_is_one_delta() -> None:
    reader, _ = a_reader()

    reader.take([event(0, "a"), event(1, "b", "c"), event(3, is_last=True)])

    assert await read_all(reader) == [Delta(0, ("a", "b", "c"), FinishReason.STOP)]


async def test_doubles_and_overlaps_are_dropped() -> None:
    reader, _ = a_reader()

    reader.take([event(0, "a", "b"), event(0, "a", "b"), event(1, "b", "c")])
    reader.take([event(0, "a", "b", "c", "d", is_last=True)])

    assert [delta.text for delta in await read_all(reader)] == ["abcd"]


async def test_a_hole_holds_back_what_comes_after_it_and_asks_for_the_log() -> None:
    reader, asked = a_reader()

    reader.take([event(0, "a"), event(2, "c", is_last=True)])
    assert asked == [RID]
    assert reader.holed_since is not None
    reader.take([event(0, "a", "b")])

    assert reader.holed_since is None
    assert [delta.text for delta in await read_all(reader)] == ["abc"]


async def test_a_later_reader_gets_the_rest_alone() -> None:
    reader, _ = a_reader(from_seq=2)

    reader.take([event(0, "a", "b", "c", "d", is_last=True)])

    assert await read_all(reader) == [Delta(2, ("c", "d"), FinishReason.STOP)]


async def test_a_new_attempt_silences_the_old_one() -> None:
    reader, _ = a_reader()

    reader.take([event(0, "a"), event(1, "b", attempt=1)])
    reader.take([event(2, "OLD", is_last=True), event(2, "c", attempt=1, is_last=True)])

    assert [delta.text for delta in await read_all(reader)] == ["abc"]


async def test_a_failure_ends_the_reading_after_what_was_there() -> None:
    reader, _ = a_reader()

    reader.take([event(0, "a")])
    reader.fail(Failure("stream_lost", "gone"))

    [delta] = await read_all(reader)
    assert (delta.text, delta.finish_reason, delta.failure.code) == (
        "a",
        FinishReason.ERROR,
        "stream_lost",
    )


async def test_shuffled_and_repeated_events_give_the_same_text() -> None:
    text = [chr(97 + n % 26) for n in range(200)]
    for seed in range(30):
        rng = random.Random(seed)
        cuts = sorted({0, 200, *rng.sample(range(1, 200), 20)})
        events = [
            event(begin, *text[begin:end], is_last=end == 200) for begin, end in pairwise(cuts)
        ]
        events += rng.choices(events, k=20)
        rng.shuffle(events)
        reader, _ = a_reader()

        for arrived in events:
            reader.take([arrived])

        assert "".join(delta.text for delta in await read_all(reader)) == "".join(text)


async def test_scores_come_once_and_with_their_tokens() -> None:
    reader, _ = a_reader(from_seq=1)
    scores = tuple(TokenScore(LikelyToken(text, text.encode(), -1.0)) for text in "abc")
    first = Event(RID, 0, 0, ("a", "b"), scores=scores[:2])
    again = Event(RID, 0, 1, ("b", "c"), scores=scores[1:])

    reader.take([first, again, event(3, is_last=True)])

    assert await read_all(reader) == [Delta(1, ("b", "c"), FinishReason.STOP, scores=scores[1:])]
