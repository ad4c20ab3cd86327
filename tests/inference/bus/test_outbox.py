"""What leaves a worker, also while the bus is away."""

import time
from collections.abc import Iterator, Mapping, Sequence

import pytest

from inference.bus import BusConfig
from inference.bus.events import Claim, Event, RequestState, logged_pieces
from inference.bus.local import LocalBus
from inference.bus.outbox import Outbox, Output
from inference.exceptions import BusUnavailableError
from inference.generation import Failure, FinishReason, GenerationRequest, LikelyToken, TokenScore
from inference.messages import Message, Role
from tests.support.ports import wait_until


class FlakyBus(LocalBus):
    """A bus that can be away, and can lose its memory."""

    def __init__(self) -> None:
        super().__init__(BusConfig())
        self.is_away = False
        self.frames: list[Event] = []
        self.log_entries = 0

    def publish(
        self, frames: Mapping[str, Sequence[Event]], logs: Mapping[str, Sequence[Event]]
    ) -> set[str]:
        if self.is_away:
            raise BusUnavailableError("away")
        for events in frames.values():
            self.frames += events
        self.log_entries += sum(map(len, logs.values()))
        return super().publish(frames, logs)


@pytest.fixture
def bus() -> FlakyBus:
    return FlakyBus()


@pytest.fixture
def outbox(bus: FlakyBus) -> Iterator[Outbox]:
    box = Outbox(bus, worker_id="w", chunk_tokens=4, pause_s=0.01)
    yield box
    box.close(5)


def a_claim(bus: FlakyBus) -> Claim:
    request = GenerationRequest("m", (Message(Role.USER, "hi"),))
    bus.submit(request, inbox="web", capacity=9, retry_after_s=1)
    claim = bus.claim(request.request_id, attempt=0, worker_id="w")
    assert claim is not None
    return claim


def say(outbox: Outbox, claim: Claim, tokens: Sequence[str], *, is_last: bool = False) -> None:
    request_id = claim.request.request_id
    outbox.put([Output(request_id, (token,)) for token in tokens])
    if is_last:
        outbox.put([Output(request_id, finish_reason=FinishReason.STOP)])
        assert outbox.wait(request_id, 10)


def log_of(bus: FlakyBus, claim: Claim) -> tuple[Event, ...]:
    return bus.inspect([claim.request.request_id])[claim.request.request_id].log


def test_frames_and_log_both_have_every_token(bus: FlakyBus, outbox: Outbox) -> None:
    claim, tokens = a_claim(bus), [str(n) for n in range(30)]
    outbox.open(claim)

    say(outbox, claim, tokens, is_last=True)

    assert logged_pieces(bus.frames) == logged_pieces(log_of(bus, claim)) == tuple(tokens)
    assert bus.log_entries < 10  # chunks, not tokens


def test_an_answer_goes_on_after_what_was_said_before(bus: FlakyBus, outbox: Outbox) -> None:
    claim = a_claim(bus)
    request_id = claim.request.request_id
    bus.publish({}, {request_id: [Event(request_id, 0, 0, ("a", "b"))]})
    bus.requeue(request_id, attempt=0, tail=Event(request_id, 1, 2, ("c",)))
    second = bus.claim(request_id, attempt=1, worker_id="w2")
    assert second is not None
    outbox.open(second)

    say(outbox, second, ["d"], is_last=True)

    assert logged_pieces(log_of(bus, claim)) == ("a", "b", "c", "d")


def test_putting_never_waits_and_nothing_is_lost_while_the_bus_is_away(
    bus: FlakyBus, outbox: Outbox
) -> None:
    claim, tokens = a_claim(bus), [str(n) for n in range(100)]
    outbox.open(claim)
    bus.is_away = True

    say(outbox, claim, tokens)
    time.sleep(0.05)
    bus.is_away = False
    say(outbox, claim, [], is_last=True)

    assert logged_pieces(log_of(bus, claim)) == tuple(tokens)


def test_a_bus_that_forgot_everything_is_told_again(bus: FlakyBus, outbox: Outbox) -> None:
    claim = a_claim(bus)
    outbox.open(claim)
    say(outbox, claim, ["a", "b", "c", "d"])
    wait_until(lambda: bool(log_of(bus, claim)), what="the first chunk is logged")
    bus.close()

    say(outbox, claim, ["e"], is_last=True)

    view = bus.inspect([claim.request.request_id])[claim.request.request_id]
    assert logged_pieces(view.log) == ("a", "b", "c", "d", "e")
    assert view.state is RequestState.ENDED


def test_a_recheck_brings_back_a_request_that_is_silent(bus: FlakyBus, outbox: Outbox) -> None:
    claim = a_claim(bus)
    outbox.open(claim)
    bus.close()

    outbox.recheck()

    request_id = claim.request.request_id
    wait_until(lambda: request_id in bus.inspect([request_id]), what="it is written down again")


def test_who_attaches_is_told_how_far_the_answer_is(bus: FlakyBus, outbox: Outbox) -> None:
    claim = a_claim(bus)
    outbox.open(claim)
    say(outbox, claim, ["a", "b"])
    wait_until(lambda: logged_pieces(bus.frames) == ("a", "b"), what="both tokens left")
    heard: list[Event] = []
    bus.subscribe("late", on_frame=heard.extend, on_gap=lambda: None)

    outbox.attach(claim.request.request_id, "late")

    wait_until(lambda: bool(heard), what="the newcomer is greeted")
    assert (heard[0].seq, heard[0].pieces) == (2, ())
    assert logged_pieces(log_of(bus, claim)) == ("a", "b")


def test_a_failure_ends_an_answer_and_what_comes_later_is_dropped(
    bus: FlakyBus, outbox: Outbox
) -> None:
    claim = a_claim(bus)
    request_id = claim.request.request_id
    outbox.open(claim)

    outbox.fail(request_id, Failure("engine_error", "broken"))
    say(outbox, claim, ["late"])
    assert outbox.wait(request_id, 10)

    assert outbox.open_requests() == []
    [end] = log_of(bus, claim)
    assert (end.pieces, end.failure) == ((), Failure("engine_error", "broken"))


def test_scores_stay_with_their_tokens_in_frames_and_log(bus: FlakyBus, outbox: Outbox) -> None:
    claim = a_claim(bus)
    request_id = claim.request.request_id
    scores = [TokenScore(LikelyToken(str(n), str(n).encode(), -n)) for n in range(30)]
    outbox.open(claim)

    outbox.put([Output(request_id, (score.token.text,), scores=(score,)) for score in scores])
    say(outbox, claim, [], is_last=True)

    for events in (bus.frames, log_of(bus, claim)):
        for event in events:
            assert [score.token.text for score in event.scores] == list(event.pieces)
        assert sum(len(event.scores) for event in events) == 30
