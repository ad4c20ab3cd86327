"""What every bus promises; run with each of them."""

import queue
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from inference.bus import Bus
from inference.bus.events import Event, Heartbeat, Order, RequestState, Tally
from inference.exceptions import QueueFullError, RequestExpiredError
from inference.generation import (
    Failure,
    FinishReason,
    GenerationRequest,
    LikelyToken,
    SamplingParams,
    TokenScore,
    Usage,
)
from inference.messages import Message, Role
from inference.requests import AnyRequest, EmbeddingRequest, TokensRequest
from tests.support.ports import wait_until


def a_request(text: str = "Hello 你好 👋", model: str = "m") -> GenerationRequest:
    params = SamplingParams(max_tokens=5, stop=("\n",), seed=7)
    return GenerationRequest(model, (Message(Role.USER, text),), params)


def submit(bus: Bus, request: AnyRequest, *, capacity: int = 10, inbox: str = "web") -> None:
    bus.submit(request, inbox=inbox, capacity=capacity, retry_after_s=2)


def an_event(request: GenerationRequest, seq: int, *pieces: str, attempt: int = 0) -> Event:
    return Event(request.request_id, attempt, seq, pieces)


def the_end(request: GenerationRequest, seq: int, attempt: int = 0) -> Event:
    return Event(
        request.request_id,
        attempt,
        seq,
        ("!",),
        finish_reason=FinishReason.STOP,
        usage=Usage(3, seq + 1, 1),
    )


class Inbox:
    """Collects what arrives."""

    def __init__(self, bus: Bus, name: str = "web") -> None:
        self.events: queue.Queue[Event] = queue.Queue()
        self.handle = bus.subscribe(
            name, on_frame=lambda events: [self.events.put(e) for e in events], on_gap=lambda: None
        )

    def next(self) -> Event:
        return self.events.get(timeout=10)


def test_a_claim_gives_the_request_as_it_was_submitted(bus: Bus) -> None:
    request = a_request()
    submit(bus, request, inbox="first")

    claim = bus.claim(request.request_id, attempt=0, worker_id="w")

    assert claim is not None
    assert claim.request == request
    assert claim.inboxes == {"first"}
    assert claim.log == ()


def test_only_one_of_many_workers_gets_a_request(bus: Bus) -> None:
    request = a_request()
    submit(bus, request)

    with ThreadPoolExecutor(8) as pool:
        claims = list(
            pool.map(
                lambda n: bus.claim(request.request_id, attempt=0, worker_id=f"w{n}"), range(8)
            )
        )

    assert sum(claim is not None for claim in claims) == 1


def test_the_worker_that_has_a_request_may_ask_again(bus: Bus) -> None:
    request = a_request()
    submit(bus, request)

    first = bus.claim(request.request_id, attempt=0, worker_id="w")
    again = bus.claim(request.request_id, attempt=0, worker_id="w")

    assert first == again


@pytest.mark.parametrize("state", ["unknown", "ended", "another attempt"])
def test_there_is_nothing_to_claim(bus: Bus, state: str) -> None:
    request = a_request()
    if state != "unknown":
        submit(bus, request)
    if state == "ended":
        bus.cancel(request.request_id)

    attempt = 1 if state == "another attempt" else 0
    assert bus.claim(request.request_id, attempt=attempt, worker_id="w") is None


def test_a_second_submission_changes_nothing(bus: Bus) -> None:
    request = a_request()
    submit(bus, request, capacity=1)
    bus.claim(request.request_id, attempt=0, worker_id="w")

    submit(bus, request, capacity=1)

    assert bus.inspect([request.request_id])[request.request_id].state is RequestState.RUNNING


def test_a_model_takes_only_so_many_unfinished_requests(bus: Bus) -> None:
    first, second, other = a_request(), a_request(), a_request(model="other")
    submit(bus, first, capacity=1)

    with pytest.raises(QueueFullError) as refusal:
        submit(bus, second, capacity=1)
    submit(bus, other, capacity=1)

    assert refusal.value.retry_after_s == 2
    assert bus.inspect([second.request_id]) == {}


@pytest.mark.parametrize("way", ["published", "closed"])
def test_an_ended_request_makes_room(bus: Bus, way: str) -> None:
    first, second = a_request(), a_request()
    submit(bus, first, capacity=1)
    if way == "published":
        bus.claim(first.request_id, attempt=0, worker_id="w")
        bus.publish({}, {first.request_id: [the_end(first, 0)]})
    else:
        bus.cancel(first.request_id)

    submit(bus, second, capacity=1)

    assert bus.inspect([second.request_id])[second.request_id].state is RequestState.QUEUED


def test_frames_reach_their_inbox_whole_and_in_order(bus: Bus) -> None:
    request, inbox = a_request(), Inbox(bus)
    sent = [an_event(request, 0, "a", "", "你"), an_event(request, 3, "👋"), the_end(request, 4)]

    for event in sent:
        bus.publish({"web": [event], "elsewhere": [event]}, {})

    assert [inbox.next() for _ in sent] == sent


def test_the_log_keeps_what_was_published(bus: Bus) -> None:
    request = a_request()
    submit(bus, request)
    bus.claim(request.request_id, attempt=0, worker_id="w")
    sent = (an_event(request, 0, "a", "b"), the_end(request, 2))

    unknown = bus.publish({}, {request.request_id: list(sent)})

    view = bus.inspect([request.request_id])[request.request_id]
    assert unknown == set()
    assert view.log == sent
    assert view.logged_end == 3
    assert view.state is RequestState.ENDED


def test_publishing_tells_which_requests_are_unknown(bus: Bus) -> None:
    known, unknown = a_request(), a_request()
    submit(bus, known)

    result = bus.publish({}, {known.request_id: [], unknown.request_id: []})

    assert result == {unknown.request_id}


def test_a_lost_request_can_be_written_down_again(bus: Bus) -> None:
    request = a_request()
    submit(bus, request)
    claim = bus.claim(request.request_id, attempt=0, worker_id="w")
    assert claim is not None
    log = [an_event(request, 0, "a", "b")]

    bus.restore(claim, worker_id="w2", log=log)

    view = bus.inspect([request.request_id])[request.request_id]
    assert (view.state, view.worker_id, view.log) == (RequestState.RUNNING, "w2", tuple(log))


def test_closing_from_outside_reaches_log_and_inboxes(bus: Bus) -> None:
    request, inbox = a_request(), Inbox(bus)
    submit(bus, request)
    failure = Failure("no_worker", "nobody")
    end = Event(request.request_id, 0, 0, finish_reason=FinishReason.ERROR, failure=failure)

    was_closed = bus.close_request(request.request_id, attempt=0, event=end)
    is_closed_twice = bus.close_request(request.request_id, attempt=0, event=end)

    assert was_closed
    assert not is_closed_twice
    assert inbox.next() == end
    assert bus.inspect([request.request_id])[request.request_id].log == (end,)


def test_a_requeued_request_goes_on_under_a_new_attempt(bus: Bus) -> None:
    request, inbox = a_request(), Inbox(bus)
    submit(bus, request)
    bus.claim(request.request_id, attempt=0, worker_id="dead")
    bus.publish({}, {request.request_id: [an_event(request, 0, "a", "b")]})
    tail = an_event(request, 2, "c", attempt=1)

    is_requeued = bus.requeue(request.request_id, attempt=0, tail=tail)
    is_late = bus.requeue(request.request_id, attempt=0, tail=tail)
    claim = bus.claim(request.request_id, attempt=1, worker_id="new")

    assert is_requeued
    assert not is_late
    assert inbox.next() == tail
    assert claim is not None
    assert claim.prefix == ("a", "b", "c")


def test_a_fenced_worker_cannot_end_or_change_the_answer(bus: Bus) -> None:
    request = a_request()
    submit(bus, request)
    bus.claim(request.request_id, attempt=0, worker_id="slow")
    bus.publish({}, {request.request_id: [an_event(request, 0, "a")]})
    bus.requeue(request.request_id, attempt=0, tail=an_event(request, 1, attempt=1))
    bus.claim(request.request_id, attempt=1, worker_id="new")

    bus.publish({}, {request.request_id: [the_end(request, 1)]})
    bus.publish({}, {request.request_id: [an_event(request, 1, "b", attempt=1)]})

    view = bus.inspect([request.request_id])[request.request_id]
    assert view.state is RequestState.RUNNING
    assert view.logged_end == 2


def test_cancelling_a_queued_request_ends_it_at_once(bus: Bus) -> None:
    request, inbox = a_request(), Inbox(bus)
    submit(bus, request)

    bus.cancel(request.request_id)

    assert inbox.next().finish_reason is FinishReason.CANCELLED


def test_cancelling_and_attaching_give_orders_to_the_worker(bus: Bus) -> None:
    orders: queue.Queue[Order] = queue.Queue()
    bus.take_orders("w", orders.put)
    request = a_request()
    submit(bus, request)
    bus.claim(request.request_id, attempt=0, worker_id="w")

    bus.attach(request.request_id, "second")
    bus.cancel(request.request_id)

    assert orders.get(timeout=10) == Order("attach", request.request_id, "second")
    assert orders.get(timeout=10) == Order("cancel", request.request_id)


def test_an_inbox_added_while_queued_is_in_the_claim(bus: Bus) -> None:
    request = a_request()
    submit(bus, request, inbox="first")

    bus.attach(request.request_id, "second")
    claim = bus.claim(request.request_id, attempt=0, worker_id="w")

    assert claim is not None
    assert claim.inboxes == {"first", "second"}


def test_an_unknown_request_cannot_be_attached_to(bus: Bus) -> None:
    with pytest.raises(RequestExpiredError):
        bus.attach("f" * 32, "web")


def test_cancelling_what_is_unknown_or_over_does_nothing(bus: Bus) -> None:
    request = a_request()
    submit(bus, request)
    bus.cancel(request.request_id)

    bus.cancel(request.request_id)
    bus.cancel("f" * 32)

    assert len(bus.inspect([request.request_id])[request.request_id].log) == 1


def test_a_model_is_live_while_its_worker_beats(make_bus) -> None:
    bus = make_bus(heartbeat_ttl_s=0.5)
    beat = Heartbeat("w", ("a", "b"), slots=4, running=1, device="cpu", dtype="float32")

    bus.beat(beat)

    assert bus.live_models() == {"a", "b"}
    assert bus.workers() == [beat]
    wait_until(lambda: not bus.live_models(), what="the heartbeat expires", timeout_s=10)


def test_a_heartbeat_tells_what_the_worker_did(bus: Bus) -> None:
    tally = Tally(cache_usage=0.5, generated_tokens=9, token_s=(1, 2, 0.25))
    beat = Heartbeat("w", ("a",), slots=4, tally=tally)

    bus.beat(beat)

    assert bus.workers() == [beat]


def test_a_draining_worker_lives_but_takes_nothing(bus: Bus) -> None:
    bus.beat(Heartbeat("w", ("a",), slots=4, is_draining=True))

    assert bus.live_models() == frozenset()
    assert bus.workers_of("a") == []
    assert [beat.worker_id for beat in bus.workers()] == ["w"]


def test_a_retired_worker_is_gone_at_once(bus: Bus) -> None:
    beat = Heartbeat("w", ("a",), slots=4)
    bus.beat(beat)

    bus.retire(beat)

    assert bus.workers() == []


def test_an_ended_request_is_forgotten_after_its_time(make_bus) -> None:
    bus = make_bus(finished_log_ttl_s=1)
    request = a_request()
    submit(bus, request)
    bus.cancel(request.request_id)

    def is_forgotten() -> bool:
        submit(bus, a_request(), capacity=1000)  # a bus may clean up when it is used
        return bus.inspect([request.request_id]) == {}

    wait_until(is_forgotten, what="the log expires", timeout_s=10)


def test_a_closed_handle_hears_nothing(bus: Bus) -> None:
    request, inbox, other = a_request(), Inbox(bus), Inbox(bus, "other")
    inbox.handle.close()

    bus.publish({"web": [an_event(request, 0, "a")], "other": [an_event(request, 0, "a")]}, {})

    assert other.next() == an_event(request, 0, "a")
    assert inbox.events.empty()


def test_an_answering_bus_passes_its_check(bus: Bus) -> None:
    bus.check()


def test_two_processes_see_one_another(make_bus) -> None:
    web, worker = make_bus(), make_bus()
    inbox, request = Inbox(web), a_request()
    submit(web, request)

    claim = worker.claim(request.request_id, attempt=0, worker_id="w")
    worker.publish({"web": [the_end(request, 0)]}, {request.request_id: [the_end(request, 0)]})

    assert claim is not None
    assert inbox.next() == the_end(request, 0)
    assert web.inspect([request.request_id])[request.request_id].state is RequestState.ENDED


def test_many_threads_publish_without_losing_anything(bus: Bus) -> None:
    inbox = Inbox(bus)
    requests = [a_request() for _ in range(8)]

    def publish_all(request: GenerationRequest) -> None:
        for seq in range(50):
            bus.publish({"web": [an_event(request, seq, str(seq))]}, {})

    threads = [threading.Thread(target=publish_all, args=[request]) for request in requests]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    heard: dict[str, list[int]] = {request.request_id: [] for request in requests}
    for _ in range(400):
        event = inbox.next()
        heard[event.request_id].append(event.seq)
    assert all(seqs == list(range(50)) for seqs in heard.values())


@pytest.mark.parametrize(
    "request_",
    [
        GenerationRequest("m", prompt="Once upon a time, 从前"),
        GenerationRequest("m", prompt=(3, 1, 4)),
        GenerationRequest(
            "m",
            (Message(Role.USER, "What is the weather?"),),
            tools=({"type": "function", "function": {"name": "weather", "parameters": {}}},),
            template_options={"enable_thinking": False},
        ),
        EmbeddingRequest("m", ("one", (2, 3)), pooling="cls", truncates=True),
        TokensRequest("m", text="some words", adds_special_tokens=False),
        TokensRequest("m", messages=(Message(Role.USER, "hi"),)),
        TokensRequest("m", tokens=(7, 8)),
    ],
    ids=[
        "text",
        "tokens",
        "tools",
        "vectors",
        "text to tokens",
        "talk to tokens",
        "tokens to text",
    ],
)
def test_every_kind_of_request_arrives_as_it_was(bus: Bus, request_: AnyRequest) -> None:
    submit(bus, request_)

    claim = bus.claim(request_.request_id, attempt=0, worker_id="w")

    assert claim is not None
    assert claim.request == request_


def test_scores_and_results_travel_in_frames_and_logs(bus: Bus) -> None:
    inbox, request = Inbox(bus), a_request()
    submit(bus, request)
    bus.claim(request.request_id, attempt=0, worker_id="w")
    half = LikelyToken("\ufffd", b"\xe4\xbd", -0.25)
    score = TokenScore(half, (half, LikelyToken("你", "你".encode(), -1.5)))
    event = Event(request.request_id, 0, 0, ("",), scores=(score,))
    end = Event(
        request.request_id,
        0,
        1,
        finish_reason=FinishReason.STOP,
        result={"width": 2, "vectors": b"\x00\x01"},
    )

    bus.publish({"web": [event, end]}, {request.request_id: [event, end]})

    assert [inbox.next(), inbox.next()] == [event, end]
    assert bus.inspect([request.request_id])[request.request_id].log == (event, end)
