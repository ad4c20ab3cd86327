import pytest

from inference.engine.sequence import Sequence
from inference.engine.waiting import WaitingLine


def sequence_of(name, *, priority=0, group="", arrived_at=0.0):
    sequence = Sequence(name, [0], 1, 1, priority=priority, group=group)
    sequence.arrived_at = arrived_at
    return sequence


def line_of(*sequences, ageing_s=10.0):
    line = WaitingLine(ageing_s=ageing_s)
    for sequence in sequences:
        line.add(sequence, now=sequence.arrived_at)
    return line


def served(line, *, running_of=None, now=0.0):
    """The order in which all get their slots when none is given back."""
    names = []
    running = dict(running_of or {})
    while line:
        sequence = line.first(running, now=now)
        line.serve(sequence, now=now)
        running[sequence.group] = running.get(sequence.group, 0) + 1
        names.append(sequence.request_id)
    return names


def test_it_is_first_come_first_served():
    line = line_of(*(sequence_of(name) for name in "abc"))

    assert served(line) == ["a", "b", "c"]


def test_a_lower_priority_goes_first():
    line = line_of(
        sequence_of("late", priority=3), sequence_of("soon"), sequence_of("now", priority=-1)
    )

    assert served(line) == ["now", "soon", "late"]


def test_groups_take_turns():
    many = [sequence_of(f"a{number}", group="a") for number in range(4)]
    few = [sequence_of(f"b{number}", group="b") for number in range(2)]

    assert served(line_of(*many, *few)) == ["a0", "b0", "a1", "b1", "a2", "a3"]


def test_a_group_that_runs_much_comes_after_one_that_runs_little():
    line = line_of(sequence_of("a", group="busy"), sequence_of("b", group="quiet"))

    assert served(line, running_of={"busy": 2, "quiet": 1}) == ["b", "a"]


def test_who_gave_way_comes_before_the_rest_of_its_priority_and_no_other():
    line = line_of(sequence_of("new"), sequence_of("urgent", priority=-1))
    old, older = sequence_of("old"), sequence_of("older")

    line.give_back(old, now=0.0)
    line.give_back(older, now=0.0)

    assert served(line) == ["urgent", "older", "old", "new"]


def test_a_priority_that_is_passed_over_long_enough_is_served_once():
    line = line_of(*(sequence_of(name, priority=1) for name in ("x", "y")), ageing_s=10.0)
    line.add(sequence_of("urgent"), now=19.0)
    line.add(sequence_of("urgent too"), now=19.0)

    order = served(line, now=20.0)

    assert order == ["x", "urgent", "urgent too", "y"]


def test_constant_urgent_work_does_not_starve_the_rest():
    line = line_of(sequence_of("patient", priority=10), ageing_s=1.0)

    for second in range(30):
        line.add(sequence_of(f"urgent {second}"), now=second)
        first = line.first({}, now=second)
        line.serve(first, now=second)
        if first.request_id == "patient":
            break

    assert first.request_id == "patient"
    assert second == 11  # ten levels to catch up, and one to overtake


def test_overdue_are_those_who_never_had_a_slot():
    line = line_of(sequence_of("old"), sequence_of("new", arrived_at=5.0))
    line.give_back(sequence_of("gave way"), now=6.0)

    overdue = line.overdue(since=4.0)

    assert [sequence.request_id for sequence in overdue] == ["old"]


def test_everybody_can_leave_from_anywhere():
    sequences = [
        sequence_of("a", group="g"),
        sequence_of("b", group="g"),
        sequence_of("c", priority=2),
    ]
    line = line_of(*sequences)
    back = sequence_of("back")
    line.give_back(back, now=0.0)

    for sequence in (sequences[1], back, sequences[2], sequences[0]):
        line.remove(sequence)

    assert len(line) == 0
    assert list(line) == []
    assert not line._classes
    assert not line._newcomers


def test_who_does_not_wait_cannot_leave():
    with pytest.raises(KeyError):
        line_of(sequence_of("a")).remove(sequence_of("b"))
