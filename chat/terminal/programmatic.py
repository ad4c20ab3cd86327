"""The style for programs: messages end with a mark, and every turn is labelled."""

from contextlib import AbstractContextManager
from typing import TextIO

from chat.terminal.screen import LONGEST_INPUT, Writer
from chat.terminal.simple import SimpleScreen

END_OF_MESSAGE = " __END_OF_A_MESSAGE_47582648__\n"


class ProgrammaticScreen:
    """Reads messages that may have many lines, labels everything with `[!OP:speaker]`.

    Args:
        source: where messages come from, each followed by `END_OF_MESSAGE`.
        output: where everything is shown.
    """

    def __init__(self, source: TextIO, output: TextIO) -> None:
        self._source = source
        self._screen = SimpleScreen(output)

    def read(self, speaker: str) -> str:
        """Return the next message and echo it; see `Screen`.

        A message without its mark at the end of the input was never finished, so it is dropped.
        """
        lines: list[str] = []
        size = 0
        while True:
            line = self._source.readline(LONGEST_INPUT)
            size += len(line)
            if not line or size > LONGEST_INPUT:
                raise EOFError
            lines.append(line)
            if line.endswith(END_OF_MESSAGE):
                break
        text = "".join(lines).removesuffix(END_OF_MESSAGE)
        self.show(speaker, text)
        return text

    def answering(self, speaker: str) -> AbstractContextManager[Writer]:
        """Show an answer word by word; see `Screen`."""
        return self._screen.answering(_label(speaker))

    def show(self, speaker: str, text: str) -> None:
        """Show a whole message; see `Screen`."""
        self._screen.show(_label(speaker), text)

    def say(self, text: str) -> None:
        """Show a line; see `Screen`."""
        self._screen.say(text)


def _label(speaker: str) -> str:
    return f"[!OP:{speaker}]"
