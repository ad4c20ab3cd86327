"""What a terminal chat needs of its surroundings: input lines, and a place for answers."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Protocol

COMMAND_WORDS = ("!!exit", "!!reset", "!!remove", "!!regen", "!!save", "!!load")
LONGEST_INPUT = 1_000_000
"""Characters of one message; more is not typed by anybody."""

Writer = Callable[[str], None]
"""Takes the next piece of an answer."""


class Screen(Protocol):
    """One style of showing a chat."""

    def read(self, speaker: str) -> str:
        """Return what the user says next.

        Raises:
            EOFError: the input is at its end.
        """

    def answering(self, speaker: str) -> AbstractContextManager[Writer]:
        """Show an answer that comes piece by piece; the context's end is the answer's."""

    def show(self, speaker: str, text: str) -> None:
        """Show a whole message."""

    def say(self, text: str) -> None:
        """Show a line that nobody in the conversation says."""
