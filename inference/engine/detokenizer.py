"""Tokens to text, one at a time, never showing half a character."""

from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet

REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
MAX_CHARACTER_TOKENS = 4
"""A character has at most four bytes in UTF-8 and so at most four tokens."""
WINDOW_END = 8
"""Tokens kept at both ends of a window that tokens without text (hidden ones) make too long."""

Decode = Callable[[Sequence[int]], str]


class Detokenizer:
    """The growing text of one answer.

    Decoding a token alone is wrong for most tokenizers (a space belongs to the token before or
    after, a character is spread over several tokens), so the tokens shown last are decoded again
    in front of the new ones and their text is taken off. That window stays a few tokens long, so
    a token costs the same at the end of an answer as at its beginning.

    Args:
        decode: token ids to text.
        spaced: tokens that get a space on both sides, such as special ones.
    """

    def __init__(self, decode: Decode, *, spaced: AbstractSet[int] = frozenset()) -> None:
        self._decode = decode
        self._spaced = spaced
        self._shown: list[int] = []
        self._shown_text = ""
        self._held: list[int] = []

    def feed(self, token: int) -> str:
        """Take one token and return the text it completes, "" while a character is unfinished."""
        before = self._space_before(token) if self._spaced else ""
        self._held.append(token)
        text = self._decode(self._shown + self._held)
        if not text.endswith(REPLACEMENT):
            return before + self._show(len(self._held), text)
        if len(self._held) < 2 * MAX_CHARACTER_TOKENS:
            return before
        # Bytes that make no character: whatever began in the first half would be complete by now.
        visible = self._shown + self._held[:MAX_CHARACTER_TOKENS]
        return before + self._show(MAX_CHARACTER_TOKENS, self._decode(visible))

    def flush(self) -> str:
        """Return what is still held, half characters as U+FFFD."""
        if not self._held:
            return ""
        return self._show(len(self._held), self._decode(self._shown + self._held))

    def _space_before(self, token: int) -> str:
        """Return what is held and a space, where the token or the one before it wants that."""
        last = (self._shown + self._held)[-1:]
        if not last or (token not in self._spaced and last[0] not in self._spaced):
            return ""
        return self.flush() + " "

    def _show(self, count: int, text: str) -> str:
        """Move the window past the first `count` held tokens; `text` is window and they."""
        added = text[len(self._shown_text) :]
        shown, self._held = self._held[:count], self._held[count:]
        shown_text = self._decode(shown)
        if not shown_text:
            # Some tokenizers drop the space in front of the first word, so the window must begin
            # with something that is seen.
            shown = self._shown + shown
            if len(shown) > 2 * WINDOW_END:
                shown = shown[:WINDOW_END] + shown[-WINDOW_END:]
            shown_text = self._decode(shown)
        self._shown, self._shown_text = shown, shown_text
        return added
