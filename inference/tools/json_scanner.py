"""Where a JSON object ends in a text that comes piece by piece."""

from dataclasses import dataclass

STRUCTURE = frozenset('{}[]:,"+-. \t\r\n')


@dataclass(slots=True)
class ObjectScanner:
    """Follows one JSON object; it looks at brackets and strings alone.

    Attributes:
        depth: brackets that are open.
        is_in_string: whether a string is open.
    """

    depth: int = 0
    is_in_string: bool = False
    _is_escaped: bool = False

    def scan(self, text: str) -> tuple[int, bool]:
        """Return how much of a text belongs to the object, and whether the object has ended.

        It ends behind its last bracket, or in front of what no JSON may hold.
        """
        for place, letter in enumerate(text):
            if self.is_in_string:
                self._in_string(letter)
            elif letter == '"':
                self.is_in_string = True
            elif letter in "{[":
                self.depth += 1
            elif letter in "}]":
                self.depth -= 1
                if self.depth <= 0:
                    return place + 1, True
            elif letter not in STRUCTURE and not letter.isalnum():
                return place, True
        return len(text), False

    def _in_string(self, letter: str) -> None:
        if self._is_escaped:
            self._is_escaped = False
        elif letter == "\\":
            self._is_escaped = True
        elif letter == '"':
            self.is_in_string = False
