"""Whole sentences: keeps an answer from ending in the middle of one."""

SENTENCE_ENDS = (".", "?", "!", "。", "？", "！", "…", '"', "'", "”")


class Sentences:
    """Shows the text of one answer sentence by sentence.

    What follows the last end of a sentence is held back, so that it can be dropped where the
    answer is cut there.

    Attributes:
        is_complete: whether the text so far ends where a sentence does.
    """

    def __init__(self) -> None:
        self._held = ""
        self._has_shown = False
        self.is_complete = False

    def feed(self, text: str) -> str:
        """Take new text and return what ends with a sentence."""
        if not text:
            return ""
        self.is_complete = text.endswith(SENTENCE_ENDS)
        end = 1 + max(text.rfind(mark) for mark in SENTENCE_ENDS)
        if not end:
            self._held += text
            return ""
        shown, self._held = self._held + text[:end], text[end:]
        self._has_shown = True
        return shown

    def flush(self, *, is_cut: bool) -> str:
        """Return what is still held: nothing where a cut answer has a whole sentence already."""
        held, self._held = self._held, ""
        return "" if is_cut and self._has_shown else held
