"""A terminal to chat in: `manage.py` behind a pseudo-terminal, its screen as text."""

import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pexpect

from tests.support.site import ROOT, Site

# What moves the cursor and paints, as opposed to what is written.
ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_=>])")
ENVIRONMENT = {
    "TERM": "xterm",
    "LANG": "C.UTF-8",
    "PROMPT_TOOLKIT_NO_CPR": "1",  # nobody here answers where the cursor is
}
READY_S = 90
ANSWER_S = 60


class Terminal:
    """A command in a terminal of 100 columns.

    Args:
        arguments: of `manage.py`.
        environment: the command's.
    """

    def __init__(self, *arguments: str, environment: Mapping[str, str]) -> None:
        self._child = pexpect.spawn(
            sys.executable,
            ["manage.py", *arguments],
            cwd=str(ROOT),
            env={**environment, **ENVIRONMENT},
            dimensions=(40, 100),
            encoding="utf-8",
            codec_errors="replace",
            timeout=ANSWER_S,
        )
        self._seen = ""

    def wait_for(self, text: str, *, timeout_s: float = ANSWER_S) -> str:
        """Return what was written up to and with `text`, escapes removed."""
        self._child.expect_exact(text, timeout=timeout_s)
        return self._take(self._child.before + text)

    def type(self, text: str) -> None:
        """Type a line."""
        self._child.send(f"{text}\r")

    def press(self, keys: str) -> None:
        """Press keys: `"\\x03"` is Ctrl-C, `"\\x04"` Ctrl-D."""
        self._child.send(keys)

    def signal(self, number: int) -> None:
        """Send the command a signal."""
        self._child.kill(number)

    def end(self) -> int:
        """Wait for the command's end and return its exit status."""
        self._child.expect(pexpect.EOF)
        self._take(self._child.before)
        self._child.close()
        status = self._child.exitstatus
        return -(self._child.signalstatus or 0) if status is None else int(status)

    def close(self) -> None:
        """Kill what still runs."""
        self._child.close(force=True)

    @property
    def screen(self) -> str:
        """Everything written and taken so far, escapes removed."""
        return self._seen

    def _take(self, raw: str) -> str:
        text = ESCAPES.sub("", raw).replace("\r", "")
        self._seen += text
        return text


@contextmanager
def terminal(*arguments: str, folder: Path, **extra: str) -> Iterator[Terminal]:
    """Run a command in a terminal for the length of the block, on a state folder of its own."""
    environment = {**Site(folder).environment, **extra}
    running = Terminal(*arguments, environment=environment)
    try:
        yield running
    finally:
        running.close()
