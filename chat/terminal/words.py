"""Text on its way to a terminal: without control characters, and cut where words end."""

import unicodedata

KEPT_CONTROLS = "\n\t"
WIDE = frozenset("WF")
"""East Asian widths of characters that stand for themselves, as Chinese ones do."""


def without_controls(text: str) -> str:
    """Return the text without what a terminal would obey instead of showing."""
    return "".join(
        sign for sign in text if sign in KEPT_CONTROLS or unicodedata.category(sign) != "Cc"
    )


def is_wide(sign: str) -> bool:
    """Whether a character takes two columns; scripts with such characters put no spaces."""
    return unicodedata.east_asian_width(sign) in WIDE


class WordStream:
    """Lets text out in whole words as it comes, without space at the beginning and the end.

    A word ends where space follows it; a wide character is a word of its own.
    """

    def __init__(self) -> None:
        self._held = ""
        self._has_begun = False

    def feed(self, text: str) -> str:
        """Take more text and return what can be shown now."""
        self._held += without_controls(text)
        if not self._has_begun:
            self._held = self._held.lstrip()
            self._has_begun = bool(self._held)
        end = self._end_of_words()
        shown, self._held = self._held[:end], self._held[end:]
        return shown

    def rest(self) -> str:
        """Return what was held back, at the end."""
        held, self._held = self._held.rstrip(), ""
        return held

    def _end_of_words(self) -> int:
        """Where the last whole word ends; space after it waits for what follows."""
        for index in range(len(self._held) - 1, -1, -1):
            sign = self._held[index]
            if sign.isspace():
                continue
            if is_wide(sign) or (
                index + 1 < len(self._held)
                and (self._held[index + 1].isspace() or is_wide(self._held[index + 1]))
            ):
                return index + 1
        return 0
