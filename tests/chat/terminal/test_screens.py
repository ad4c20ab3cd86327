"""The three styles on a screen that is a buffer."""

import io
import os
import termios
from collections.abc import Sequence

import pytest

from chat.terminal.conversation import spoken_name
from chat.terminal.echo import hidden_keys
from chat.terminal.programmatic import END_OF_MESSAGE, ProgrammaticScreen
from chat.terminal.rich_screen import RichScreen
from chat.terminal.screen import LONGEST_INPUT
from chat.terminal.simple import SimpleScreen
from chat.terminal.words import WordStream, without_controls


def shown_steps(pieces: Sequence[str]) -> list[str]:
    words = WordStream()
    return [*(words.feed(piece) for piece in pieces), words.rest()]


@pytest.mark.parametrize(
    ("pieces", "steps"),
    [
        ([" Hel", "lo wor", "ld. "], ["", "Hello", " world.", ""]),
        (["a\n", "\nb "], ["a", "\n\nb", ""]),
        (["你", "好，wor", "ld"], ["你", "好，", "", "world"]),
        (["  ", "\n"], ["", "", ""]),
    ],
)
def test_words_come_whole_and_wide_characters_at_once(pieces: list[str], steps: list[str]):
    assert shown_steps(pieces) == steps


def test_what_a_terminal_would_obey_is_not_shown():
    attack = "a\x1b]0;title\x07b\x9b2J\r\x00c\td\n"

    assert without_controls(attack) == "a]0;titleb2Jc\td\n"


@pytest.mark.parametrize(
    ("role", "name"),
    [("USER", "USER"), ("### Human", "Human"), ("<|im_start|>user", "user"), ("[INST]", "")],
)
def test_a_speaker_is_called_without_markup(role: str, name: str):
    assert spoken_name(role) == name


def test_the_simple_style_shows_speaker_and_words():
    output = io.StringIO()
    screen = SimpleScreen(output)

    with screen.answering("ASSISTANT") as write:
        write("Hello wor")
        held = output.getvalue()
        write("ld.")
    screen.show("USER", "你好")
    screen.say("exit...")

    assert held == "ASSISTANT: Hello"
    assert output.getvalue() == "ASSISTANT: Hello world.\nUSER: 你好\nexit...\n"


def test_the_simple_style_reads_lines_until_the_end_of_input(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr("sys.stdin", io.StringIO(" one \ntwo\n"))
    screen = SimpleScreen(io.StringIO(), multiline=True)

    text = screen.read("USER")

    assert text == "one\ntwo"
    assert capsys.readouterr().out == "USER [ctrl-d/z on empty line to end]: "
    with pytest.raises(EOFError):
        screen.read("USER")


def test_the_programmatic_style_labels_every_turn():
    source = io.StringIO(f"one\ntwo{END_OF_MESSAGE}!!exit{END_OF_MESSAGE}never finished\n")
    output = io.StringIO()
    screen = ProgrammaticScreen(source, output)

    first, second = screen.read("USER"), screen.read("USER")
    with screen.answering("ASSISTANT") as write:
        write("yes")

    assert (first, second) == ("one\ntwo", "!!exit")
    assert output.getvalue() == "[!OP:USER]: one\ntwo\n[!OP:USER]: !!exit\n[!OP:ASSISTANT]: yes\n"
    with pytest.raises(EOFError):
        screen.read("USER")


def test_a_message_without_end_is_not_read_for_ever():
    screen = ProgrammaticScreen(io.StringIO("x" * (LONGEST_INPUT + 10)), io.StringIO())

    with pytest.raises(EOFError):
        screen.read("USER")


def test_the_rich_style_renders_markdown_and_keeps_lines(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("sys.stdin", io.StringIO("hello\n"))
    output = io.StringIO()
    screen = RichScreen(output)

    text = screen.read("USER")
    with screen.answering("[/INST]") as write:
        write("**one**\ntwo\n```\n\x1b[2Jcode")
    screen.say("[bold]exit...")

    lines = [line.rstrip() for line in output.getvalue().splitlines()]
    assert text == "hello"
    assert lines[:4] == ["USER:", "[/INST]:", "one", "two"]
    assert any(line.strip() == "[2Jcode" for line in lines)
    assert lines[-1] == "[bold]exit..."


def test_keys_are_hidden_while_an_answer_is_drawn(monkeypatch: pytest.MonkeyPatch):
    controller, terminal = os.openpty()
    shown: list[bool] = []

    def look() -> None:
        shown.append(bool(termios.tcgetattr(terminal)[3] & termios.ECHO))

    @hidden_keys()
    def answer() -> None:
        look()
        raise KeyboardInterrupt

    with os.fdopen(controller), os.fdopen(terminal) as keys:
        monkeypatch.setattr("sys.stdin", keys)
        look()
        with pytest.raises(KeyboardInterrupt):
            answer()
        look()

    assert shown == [True, False, True]
