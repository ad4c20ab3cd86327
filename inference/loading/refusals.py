"""Errors of the libraries below, told in one sentence."""

from collections.abc import Iterator
from contextlib import contextmanager

from inference.exceptions import ModelLoadError

LONGEST = 300


def in_one_line(error: BaseException) -> str:
    """Return what an error says on one line, cut where it goes on for long."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= LONGEST else f"{text[:LONGEST].rstrip()} …"


@contextmanager
def telling(what: str) -> Iterator[None]:
    """Turn any error of a library into a `ModelLoadError` that begins with what failed.

    The libraries that read models raise all kinds, down to a bare `Exception` for a broken
    tokenizer, so all of them count; running out of memory does not.

    Raises:
        ModelLoadError: something was raised inside.
    """
    try:
        yield
    except (ModelLoadError, MemoryError):
        raise
    except Exception as error:
        raise ModelLoadError(f"{what}: {in_one_line(error)}") from error
