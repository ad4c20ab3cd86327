"""The options that only a chat has, and the screens of its styles."""

import sys
from argparse import ArgumentParser
from collections.abc import Callable
from typing import Any

from chat.terminal.programmatic import ProgrammaticScreen
from chat.terminal.screen import Screen
from chat.terminal.simple import SimpleScreen


def add_chat_arguments(parser: ArgumentParser) -> None:
    """Declare what only a chat has."""
    group = parser.add_argument_group("chat")
    group.add_argument("--conv-system-msg", metavar="TEXT", help="system message to begin with")
    group.add_argument(
        "--no-history", action="store_true", help="begin a new conversation with every prompt"
    )
    group.add_argument(
        "--style",
        choices=SCREENS,
        default="simple",
        help="simple: plain text; rich: Markdown, and an input line with history; programmatic:"
        " messages with an end mark, for programs",
    )
    group.add_argument(
        "--multiline",
        action="store_true",
        help="messages of several lines: simple until Ctrl-D, rich with Escape Enter",
    )
    group.add_argument(
        "--mouse", action="store_true", help="rich: the mouse moves the cursor of the input line"
    )
    group.add_argument(
        "--judge-sent-end", action="store_true", help="end answers only where a sentence ends"
    )
    group.add_argument(
        "--debug",
        action="store_true",
        help="print the model, and after every answer its prompt, text and speed as JSON",
    )


def simple_screen(options: dict[str, Any]) -> Screen:
    """Return the plain style's screen."""
    return SimpleScreen(sys.stdout, multiline=options["multiline"])


def rich_screen(options: dict[str, Any]) -> Screen:
    """Return the rich style's screen; its libraries come in only when it is wanted."""
    from chat.terminal.rich_screen import RichScreen

    return RichScreen(sys.stdout, multiline=options["multiline"], mouse=options["mouse"])


def programmatic_screen(options: dict[str, Any]) -> Screen:
    """Return the screen for programs."""
    del options
    return ProgrammaticScreen(sys.stdin, sys.stdout)


SCREENS: dict[str, Callable[[dict[str, Any]], Screen]] = {
    "simple": simple_screen,
    "rich": rich_screen,
    "programmatic": programmatic_screen,
}
