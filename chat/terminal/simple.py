"""The plain style: lines in, words out; it works on every terminal and in pipes."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TextIO

from chat.terminal.screen import Writer
from chat.terminal.words import WordStream, without_controls

MULTILINE_HINT = " [ctrl-d/z on empty line to end]"


class SimpleScreen:
    """Writes to a stream, reads standard input.

    Args:
        output: where everything is shown.
        multiline: whether a message goes on until the end of input.
    """

    def __init__(self, output: TextIO, *, multiline: bool = False) -> None:
        self._output = output
        self._multiline = multiline
        with suppress(ImportError):  # there is none on Windows, where lines are edited anyway
            import readline  # noqa: F401  (`input` edits lines with it)

    def read(self, speaker: str) -> str:
        """Return a line, or all lines until the end of input; see `Screen`."""
        if not self._multiline:
            return input(f"{speaker}: ")
        lines = [input(f"{speaker}{MULTILINE_HINT}: ").strip()]
        with suppress(EOFError):
            while True:
                lines.append(input().strip())
        return "\n".join(lines)

    @contextmanager
    def answering(self, speaker: str) -> Iterator[Writer]:
        """Show an answer word by word; see `Screen`."""
        words = WordStream()
        self._write(f"{speaker}: ")
        try:
            yield lambda piece: self._write(words.feed(piece))
        finally:
            self._write(f"{words.rest()}\n")

    def show(self, speaker: str, text: str) -> None:
        """Show a whole message; see `Screen`."""
        self._write(f"{speaker}: {without_controls(text)}\n")

    def say(self, text: str) -> None:
        """Show a line; see `Screen`."""
        self._write(f"{without_controls(text)}\n")

    def _write(self, text: str) -> None:
        if text:
            self._output.write(text)
            self._output.flush()
