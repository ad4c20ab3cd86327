"""Reads calls of functions out of an answer while it grows."""

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass, field

from inference.tools.formats import ToolFormat
from inference.tools.json_scanner import ObjectScanner
from inference.tools.whole_calls import calls_in


@dataclass(frozen=True, slots=True)
class CallDelta:
    """What a piece of an answer adds to a call.

    Attributes:
        index: which call of the answer, from 0.
        name: the function; set on the first delta of a call alone.
        arguments: more of its arguments, JSON as text.
    """

    index: int
    name: str = ""
    arguments: str = ""


@dataclass(slots=True)
class Parsed:
    """What a piece of an answer turned out to be: text for people, and calls."""

    text: str = ""
    calls: list[CallDelta] = field(default_factory=list)


class CallParser:
    """Splits one answer into text and calls.

    However the answer is cut into pieces, text and calls come out the same, and nothing of the
    signs around a call comes out as text. What only looks like a call is text: one of a function
    nobody offered, one without arguments that begin as JSON.

    Args:
        form: how the model writes calls.
        names: the functions that may be called; empty for any.
        most: calls to keep; later ones are dropped.

    Attributes:
        call_count: calls that were found and kept.
    """

    def __init__(
        self, form: ToolFormat, *, names: Collection[str] = (), most: int | None = None
    ) -> None:
        self.call_count = 0
        self._form = form
        self._names = frozenset(names)
        self._most = most
        self._held = ""
        self._opening = ""  # what was taken for the beginning of a call
        self._is_brace_due = False
        self._object = ObjectScanner()
        self._parsed = Parsed()
        self._found = 0
        self._state: Callable[[], bool] = self._text if form.begin else self._open

    def feed(self, text: str) -> Parsed:
        """Take a piece of the answer and return what is certain now."""
        self._held += text
        while self._held and self._state():
            pass
        return self._take()

    def finish(self) -> Parsed:
        """Return what was held back, at the end of the answer."""
        if self._state == self._head and not self._take_whole(self._held, self._held):
            self._say(self._opening + self._held)
        elif self._state in (self._text, self._open):
            self._say(self._held)
        self._held = ""
        return self._take()

    # A state looks at what is held and returns whether another look may find more.

    def _open(self) -> bool:
        """A call may come without a sign of its own."""
        rest = self._held.lstrip()
        if self._is_brace_due and rest:
            self._is_brace_due = False
            self._held = rest.removeprefix("}")
            return True
        if self._found and rest.startswith(";"):
            self._held = rest[1:]
            return True
        sign = self._form.optional_begin
        if sign and rest.startswith(sign):
            return self._enter_head(len(self._held) - len(rest) + len(sign))
        if sign.startswith(rest):
            return False
        if rest[0] in self._form.opens_with:
            return self._enter_head(len(self._held) - len(rest))
        self._state = self._text
        return True

    def _text(self) -> bool:
        """People are spoken to, until a sign says otherwise."""
        found = [(self._held.find(mark), mark) for mark in self._form.markers]
        places = [(place, -len(mark), mark) for place, mark in found if place >= 0]
        if not places:
            kept = self._uncertain()
            self._say(self._held[: len(self._held) - kept])
            self._held = self._held[len(self._held) - kept :]
            return False
        place, _, mark = min(places)
        said = self._held[:place].rstrip()
        self._say(said)
        self._held = self._held[len(said) :]
        if mark in self._form.ignored:
            self._held = self._held.lstrip()[len(mark) :]
            return True
        return self._enter_head(place - len(said) + len(mark))

    def _uncertain(self) -> int:
        """Letters at the end that may become a sign, with the blanks before them."""
        longest = 0
        for mark in self._form.markers:
            for count in range(min(len(mark) - 1, len(self._held)), longest, -1):
                if self._held.endswith(mark[:count]):
                    longest = count
                    break
        certain = self._held[: len(self._held) - longest]
        return len(self._held) - len(certain.rstrip())

    def _enter_head(self, count: int) -> bool:
        self._opening, self._held = self._held[:count], self._held[count:]
        self._state = self._head
        return True

    def _head(self) -> bool:
        """A call seems to begin; its name is not complete."""
        match = self._form.head.match(self._held)
        if match:
            return self._enter_arguments(match)
        rest = self._held.lstrip()
        if rest and self._form.opens_with and rest[0] not in self._form.opens_with:
            return self._give_up()
        end = self._form.end
        place = self._held.find(end) if end else -1
        if place < 0:
            return False
        behind = place + len(end)
        if not self._take_whole(self._held[:place], self._held[:behind]):
            return self._give_up()
        self._held = self._held[behind:]
        self._state = self._text
        return True

    def _enter_arguments(self, match: re.Match[str]) -> bool:
        name = next(name for name in match.groupdict().values() if name)
        if not self._may_call(name):
            return self._give_up()
        self._begin_call(name)
        self._held = self._held[match.end() :]
        self._object = ObjectScanner()
        self._state = self._arguments
        return True

    def _arguments(self) -> bool:
        """The arguments of a call grow."""
        count, has_ended = self._object.scan(self._held)
        self._argue(self._held[:count])
        self._held = self._held[count:]
        if has_ended:
            self._state = self._tail
        return has_ended

    def _tail(self) -> bool:
        """A call is complete, but for what closes it."""
        form = self._form
        match = form.between.match(self._held) if form.between else None
        if match:
            return self._enter_arguments(match)
        if not form.end:
            self._state = self._text if form.begin else self._open
            self._is_brace_due = not form.begin
            return True
        place = self._held.find(form.end)
        if place < 0:
            return False
        self._held = self._held[place + len(form.end) :]
        self._state = self._text
        return True

    def _give_up(self) -> bool:
        """Say what was taken for a call."""
        self._say(self._opening)
        self._opening = ""
        self._state = self._text
        return True

    def _take_whole(self, *bodies: str) -> bool:
        """Take calls out of a complete text; tell whether there are any."""
        calls = next(filter(None, map(calls_in, bodies)), [])
        if not calls or not all(self._may_call(name) for name, _ in calls):
            return False
        for name, arguments in calls:
            self._begin_call(name)
            self._argue(arguments)
        return True

    def _may_call(self, name: str) -> bool:
        return not self._names or name in self._names

    @property
    def _is_dropping(self) -> bool:
        return self._most is not None and self._found > self._most

    def _begin_call(self, name: str) -> None:
        self._found += 1
        if not self._is_dropping:
            self.call_count = self._found
            self._parsed.calls.append(CallDelta(self._found - 1, name=name))

    def _argue(self, text: str) -> None:
        if text and not self._is_dropping:
            self._parsed.calls.append(CallDelta(self._found - 1, arguments=text))

    def _say(self, text: str) -> None:
        self._parsed.text += text

    def _take(self) -> Parsed:
        parsed, self._parsed = self._parsed, Parsed()
        return parsed
