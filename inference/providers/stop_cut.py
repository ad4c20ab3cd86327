"""Stop strings for servers that stream them as part of the answer."""

from collections.abc import Sequence


class StopCut:
    """Passes text on up to the first stop string, which may be cut by pieces.

    Args:
        stop: texts that end the answer; none passes everything on at once.
    """

    def __init__(self, stop: Sequence[str]) -> None:
        self._stop = [text for text in stop if text]
        self._held = ""
        self.is_over = False

    def feed(self, text: str) -> str:
        """Return what can be shown after one more piece."""
        if self.is_over:
            return ""
        self._held += text
        places = [self._held.find(stop) for stop in self._stop if stop in self._held]
        if places:
            self.is_over = True
            return self._let_go(min(places))
        return self._let_go(len(self._held) - self._beginning())

    def close(self) -> str:
        """Return what was held back and turned out to be no stop string."""
        return "" if self.is_over else self._let_go(len(self._held))

    def _let_go(self, count: int) -> str:
        shown, self._held = self._held[:count], self._held[count:]
        return shown

    def _beginning(self) -> int:
        """Return how many characters at the end may be the beginning of a stop string."""
        return max(
            (
                size
                for stop in self._stop
                for size in range(1, min(len(stop), len(self._held) + 1))
                if self._held.endswith(stop[:size])
            ),
            default=0,
        )
