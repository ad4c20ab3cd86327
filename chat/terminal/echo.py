"""Keys pressed while an answer is drawn: not shown, as they would move what is drawn over."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

try:
    import termios
except ImportError:  # Windows shows no keys that nobody reads
    termios = None  # type: ignore[assignment]  # a module elsewhere


@contextmanager
def hidden_keys() -> Iterator[None]:
    """Keep the terminal from showing keys; those pressed meanwhile go to the next prompt."""
    if termios is None or not sys.stdin.isatty():
        yield
        return
    descriptor = sys.stdin.fileno()
    before = termios.tcgetattr(descriptor)
    hidden = [*before[:3], before[3] & ~termios.ECHO, *before[4:]]
    termios.tcsetattr(descriptor, termios.TCSANOW, hidden)
    try:
        yield
    finally:
        termios.tcsetattr(descriptor, termios.TCSANOW, before)
