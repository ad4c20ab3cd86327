"""Stop strings: end an answer where the earliest of them begins, and show none of it before."""

from collections.abc import Iterable


class StopStrings:
    """Watches the text of one answer for its stop strings.

    Text that could be the beginning of a stop string is held back until more text decides. Each
    call looks only at what is held and what is new, so its cost does not grow with the answer.
    """

    def __init__(self, stops: Iterable[str]) -> None:
        self._stops = tuple(stops)
        self._held = ""
        self.is_met = False

    def feed(self, text: str) -> str:
        """Take new text and return what may be shown.

        After a stop string was met (`is_met`) the text before it has been returned and nothing
        follows.
        """
        if not self._stops:
            return text
        if self.is_met:
            return ""
        text = self._held + text
        found = [at for stop in self._stops if (at := text.find(stop)) >= 0]
        if found:
            self.is_met = True
            self._held = ""
            return text[: min(found)]
        keep = max(_partial_length(text, stop) for stop in self._stops)
        self._held = text[len(text) - keep :]
        return text[: len(text) - keep]

    def flush(self) -> str:
        """Return what is still held, as the answer ended without the rest of the stop string."""
        held, self._held = self._held, ""
        return held


def _partial_length(text: str, stop: str) -> int:
    """Length of the longest end of `text` that begins `stop` without completing it."""
    for length in range(min(len(text), len(stop) - 1), 0, -1):
        if text.endswith(stop[:length]):
            return length
    return 0
