"""The rich style: Markdown that grows while it is written, and an input line with memory."""

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

from prompt_toolkit import PromptSession
from prompt_toolkit.auto_suggest import AutoSuggestFromHistory
from prompt_toolkit.completion import WordCompleter
from prompt_toolkit.history import InMemoryHistory
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from rich.console import Console
from rich.live import Live
from rich.markdown import Markdown
from rich.text import Text

from chat.terminal.echo import hidden_keys
from chat.terminal.screen import COMMAND_WORDS, Writer
from chat.terminal.words import without_controls

REFRESHES_PER_SECOND = 4
FENCE = re.compile(r" {0,3}(```|~~~)")


class RichScreen:
    """Shows answers as Markdown; where the input is no terminal it reads plain lines.

    Args:
        output: where everything is shown.
        multiline: whether Escape followed by Enter begins a new line of the message.
        mouse: whether the mouse moves the cursor in the input line.
    """

    def __init__(self, output: TextIO, *, multiline: bool = False, mouse: bool = False) -> None:
        self._console = Console(file=output)
        self._multiline = multiline
        self._mouse = mouse
        self._session: PromptSession[str] | None = None

    def read(self, speaker: str) -> str:
        """Return what is typed; see `Screen`."""
        self._name(speaker)
        if not sys.stdin.isatty():
            return input()
        if self._session is None:
            self._session = PromptSession(
                history=InMemoryHistory(),
                auto_suggest=AutoSuggestFromHistory(),
                completer=WordCompleter(list(COMMAND_WORDS), sentence=True),
                complete_while_typing=True,
                mouse_support=self._mouse,
                key_bindings=new_line_keys() if self._multiline else None,
            )
        return self._session.prompt()

    @contextmanager
    def answering(self, speaker: str) -> Iterator[Writer]:
        """Show an answer as Markdown that grows; see `Screen`."""
        self._name(speaker)
        pieces: list[str] = []
        if not self._console.is_terminal:  # nothing can be drawn over
            yield pieces.append
            self._console.print(as_markdown("".join(pieces)))
            return
        # The text becomes Markdown at each refresh, not at each piece: parsing starts over.
        with (
            hidden_keys(),
            Live(
                console=self._console,
                refresh_per_second=REFRESHES_PER_SECOND,
                get_renderable=lambda: as_markdown("".join(pieces)),
            ),
        ):
            yield pieces.append

    def show(self, speaker: str, text: str) -> None:
        """Show a whole message; see `Screen`."""
        self._name(speaker)
        self._console.print(as_markdown(text))

    def say(self, text: str) -> None:
        """Show a line; see `Screen`."""
        self._console.print(Text(without_controls(text)), soft_wrap=True)

    def _name(self, speaker: str) -> None:
        self._console.print(Text(f"{speaker}:", style="bold"))


def as_markdown(text: str) -> Markdown:
    """Return a text as Markdown in which every line of prose stays a line of its own."""
    lines = []
    is_code = False
    for line in without_controls(text).strip().splitlines():
        is_fence = FENCE.match(line) is not None
        is_code ^= is_fence
        lines.append(line if is_fence or is_code else f"{line}  ")
    return Markdown("\n".join(lines))


def new_line_keys() -> KeyBindings:
    """Return the keys that begin a new line instead of sending the message."""
    keys = KeyBindings()

    @keys.add("escape", "enter")
    def _(event: KeyPressEvent) -> None:
        event.app.current_buffer.newline()

    return keys
