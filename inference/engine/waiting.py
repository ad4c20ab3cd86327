"""The waiting line: whose turn it is when a slot becomes free."""

from collections import OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain

from inference.engine.sequence import Sequence

Queue = OrderedDict[Sequence, None]
"""Sequences in order of arrival, from which any can leave at once."""


@dataclass(slots=True, eq=False)
class PriorityClass:
    """Waiting sequences of one priority.

    Attributes:
        served_at: when one of them last got a slot, or when the class began to wait.
        returned: those that lost their blocks; they come first, oldest first.
        groups: the others by group; the group whose turn is next comes first.
    """

    served_at: float
    returned: Queue = field(default_factory=OrderedDict)
    groups: OrderedDict[str, Queue] = field(default_factory=OrderedDict)

    def first(self, running_of: Mapping[str, int]) -> Sequence:
        """Return the next one: who gave way, else the first of the group that runs the least."""
        if self.returned:
            return next(iter(self.returned))
        group = min(self.groups, key=lambda name: running_of.get(name, 0))
        return next(iter(self.groups[group]))

    def remove(self, sequence: Sequence) -> None:
        """Take one out."""
        if sequence in self.returned:
            del self.returned[sequence]
            return
        queue = self.groups[sequence.group]
        del queue[sequence]
        if not queue:
            del self.groups[sequence.group]

    def __iter__(self) -> Iterator[Sequence]:
        """Go through all, who gave way first."""
        return chain(self.returned, *self.groups.values())

    def __bool__(self) -> bool:
        """Whether somebody waits here."""
        return bool(self.returned or self.groups)


class WaitingLine:
    """Sequences that wait for a slot.

    A lower priority goes first. A class that was passed over gains one level for every `ageing_s`
    seconds, until it is served once, so the least urgent work still moves a little under constant
    urgent load. Inside a class the groups take turns, those with the fewest running sequences
    first, so nobody takes all slots while others wait. Inside a group it is first come, first
    served.

    Args:
        ageing_s: seconds for one level.
    """

    def __init__(self, *, ageing_s: float) -> None:
        self._ageing_s = ageing_s
        self._classes: dict[int, PriorityClass] = {}
        self._newcomers: Queue = OrderedDict()  # never had a slot; oldest first
        self._count = 0  # other threads ask, and must not walk what changes

    def __len__(self) -> int:
        """How many wait."""
        return self._count

    def __iter__(self) -> Iterator[Sequence]:
        """Go through all, class by class."""
        for priority in sorted(self._classes):
            yield from self._classes[priority]

    def add(self, sequence: Sequence, *, now: float) -> None:
        """Let a newcomer wait."""
        groups = self._class_of(sequence, now).groups
        groups.setdefault(sequence.group, OrderedDict())[sequence] = None
        self._newcomers[sequence] = None
        self._count += 1

    def give_back(self, sequence: Sequence, *, now: float) -> None:
        """Let one that lost its blocks wait, before all others of its priority."""
        returned = self._class_of(sequence, now).returned
        returned[sequence] = None
        returned.move_to_end(sequence, last=False)
        self._count += 1

    def remove(self, sequence: Sequence) -> None:
        """Take one out.

        Raises:
            KeyError: it does not wait.
        """
        some = self._classes[sequence.priority]
        some.remove(sequence)
        self._newcomers.pop(sequence, None)
        self._count -= 1
        if not some:
            del self._classes[sequence.priority]

    def first(self, running_of: Mapping[str, int], *, now: float) -> Sequence:
        """Return whose turn it is; there is one.

        Args:
            running_of: running sequences by group.
            now: the time.
        """
        priority = min(self._classes, key=lambda level: (self._aged(level, now), level))
        return self._classes[priority].first(running_of)

    def serve(self, sequence: Sequence, *, now: float) -> None:
        """Take out one that got a slot: its class and its group begin to wait again."""
        some = self._classes[sequence.priority]
        some.served_at = now
        if sequence.group in some.groups:
            some.groups.move_to_end(sequence.group)
        self.remove(sequence)

    def overdue(self, *, since: float) -> list[Sequence]:
        """Return those that wait for their first slot since before that time, oldest first."""
        found = []
        for sequence in self._newcomers:
            if sequence.arrived_at >= since:
                break
            found.append(sequence)
        return found

    def _class_of(self, sequence: Sequence, now: float) -> PriorityClass:
        if sequence.priority not in self._classes:
            self._classes[sequence.priority] = PriorityClass(now)
        return self._classes[sequence.priority]

    def _aged(self, priority: int, now: float) -> int:
        return priority - int((now - self._classes[priority].served_at) / self._ageing_s)
