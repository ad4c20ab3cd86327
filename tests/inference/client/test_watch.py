"""What is decided about an answer that fell silent."""

import pytest

from inference.bus.events import Event, Heartbeat, RequestState, RequestView
from inference.client.watch import (
    LOST_STREAM,
    LOST_WORKER,
    NO_WORKER,
    End,
    Forget,
    Republish,
    Requeue,
    Watch,
    decide,
    end_for,
    tail_for,
)
from inference.conf import InferenceSettings
from inference.generation import FinishReason

RID = "b" * 32
NOW = 1000.0
SETTINGS = InferenceSettings()


def a_watch(**values: float) -> Watch:
    return Watch(**{"heard_at": NOW - 2, "published_at": NOW - 2, **values})


def a_view(state: RequestState, *, attempt: int = 0, log: tuple[Event, ...] = ()) -> RequestView:
    worker_id = "w" if state is RequestState.RUNNING else ""
    return RequestView("m", state, attempt, worker_id, log)


def a_beat(worker_id: str = "w", **values: object) -> Heartbeat:
    return Heartbeat(worker_id, **{"models": ("m",), "slots": 2, **values})


def later(watch: Watch, view: RequestView | None, workers: list[Heartbeat], after_s: float):
    """Decide now and again some time after."""
    decide(watch, view, workers, NOW, SETTINGS)
    return decide(watch, view, workers, NOW + after_s, SETTINGS)


def test_a_running_answer_of_a_living_worker_is_waited_for() -> None:
    view = a_view(RequestState.RUNNING)

    assert decide(a_watch(), view, [a_beat()], NOW, SETTINGS) is None


def test_a_draining_worker_finishes_its_answer() -> None:
    view = a_view(RequestState.RUNNING)

    assert decide(a_watch(), view, [a_beat(is_draining=True)], NOW, SETTINGS) is None


def test_a_dead_workers_answer_goes_to_another_one() -> None:
    view = a_view(RequestState.RUNNING)

    assert decide(a_watch(), view, [a_beat("other")], NOW, SETTINGS) == Requeue()


@pytest.mark.parametrize(
    "others",
    [[], [a_beat("other", models=("another",))], [a_beat("other", is_draining=True)]],
    ids=["none", "of another model", "leaving"],
)
def test_a_dead_workers_answer_ends_where_nobody_can_go_on(others: list[Heartbeat]) -> None:
    view = a_view(RequestState.RUNNING)

    assert decide(a_watch(), view, others, NOW, SETTINGS) == End(LOST_WORKER)


def test_an_answer_that_kills_its_workers_is_given_up() -> None:
    view = a_view(RequestState.RUNNING, attempt=SETTINGS.attempts - 1)

    assert decide(a_watch(), view, [a_beat("other")], NOW, SETTINGS) == End(LOST_WORKER)


def test_a_queued_request_without_workers_ends_after_a_while() -> None:
    view = a_view(RequestState.QUEUED)

    assert later(a_watch(), view, [], 1.0) is None
    assert later(a_watch(), view, [], 3.0) == End(NO_WORKER)


def test_a_queued_request_waits_while_all_slots_are_taken() -> None:
    view, watch = a_view(RequestState.QUEUED), a_watch(published_at=NOW - 60)

    assert decide(watch, view, [a_beat(running=2)], NOW, SETTINGS) is None


def test_a_task_is_published_again_when_free_slots_do_not_take_it() -> None:
    view, watch = a_view(RequestState.QUEUED), a_watch(published_at=NOW - 60)

    assert decide(watch, view, [a_beat(running=1)], NOW, SETTINGS) == Republish()


def test_a_request_the_bus_forgot_is_given_up_after_a_while() -> None:
    assert later(a_watch(), None, [a_beat()], 3.0) is None
    assert later(a_watch(), None, [a_beat()], 5.0) == Forget(LOST_STREAM)


def test_an_ended_answer_whose_log_has_its_end_needs_nothing() -> None:
    end = Event(RID, 0, 0, finish_reason=FinishReason.STOP)

    assert later(a_watch(), a_view(RequestState.ENDED, log=(end,)), [], 60.0) is None


def test_an_ended_answer_whose_end_is_lost_is_given_up() -> None:
    assert later(a_watch(), a_view(RequestState.ENDED), [], 5.0) == Forget(LOST_STREAM)


def test_the_tail_has_what_was_seen_beyond_the_log() -> None:
    watch = a_watch()
    view = a_view(RequestState.RUNNING, log=(Event(RID, 0, 0, ("a", "b")),))
    for seq, pieces in enumerate(("a", "b", "c", "d")):
        watch.recent.append(Event(RID, 0, seq, (pieces,)))

    tail = tail_for(watch, view, RID)
    end = end_for(watch, view, RID, LOST_WORKER)

    assert tail == Event(RID, 1, 2, ("c", "d"))
    assert (end.seq, end.pieces, end.attempt) == (2, ("c", "d"), 0)


def test_the_tail_stops_at_a_hole() -> None:
    watch, view = a_watch(), a_view(RequestState.RUNNING)
    watch.recent.extend([Event(RID, 0, 0, ("a",)), Event(RID, 0, 2, ("c",))])

    assert tail_for(watch, view, RID).pieces == ("a",)
