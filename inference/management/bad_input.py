"""How commands end when what they were given cannot be used: one sentence and exit code 2."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.core.management.base import CommandError

from inference.exceptions import InferenceError

BAD_INPUT = 2
"""Exit code for what the caller can put right; also argparse's for an option it does not know."""


def refuse(message: str) -> CommandError:
    """Return the error that ends a command with a sentence for its caller."""
    return CommandError(message, returncode=BAD_INPUT)


@contextmanager
def refusals() -> Iterator[None]:
    """Turn what the ground floor refuses into a command's end, without a traceback."""
    try:
        yield
    except InferenceError as error:
        raise refuse(str(error)) from error
