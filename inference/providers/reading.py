"""Values out of JSON that strangers wrote: what is missing or odd counts as nothing."""

from typing import Any

from inference.generation import Usage
from inference.providers.wire.faults import fault

# No answer has as many tokens; a count beyond is an error of the server's, or a joke.
MOST_TOKENS = 10**9


def dig(data: Any, *path: str | int) -> Any:
    """Return what stands at a path of keys and indices; None where the path breaks off."""
    for step in path:
        if isinstance(step, str):
            data = data.get(step) if isinstance(data, dict) else None
        else:
            data = data[step] if isinstance(data, list) and step < len(data) else None
    return data


def text_at(data: Any, *path: str | int) -> str:
    """Return the text at a path; "" where there is none."""
    value = dig(data, *path)
    return value if isinstance(value, str) else ""


def object_at(data: Any, *path: str | int) -> dict[str, Any]:
    """Return the object at a path; an empty one where there is none."""
    value = dig(data, *path)
    return value if isinstance(value, dict) else {}


def list_at(data: Any, *path: str | int) -> list[Any]:
    """Return the list at a path; an empty one where there is none."""
    value = dig(data, *path)
    return value if isinstance(value, list) else []


def count_at(data: Any, *path: str | int) -> int:
    """Return the count at a path, also one written as text; 0 where there is none."""
    value = dig(data, *path)
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 16:
        value = int(value)
    is_count = isinstance(value, int) and not isinstance(value, bool)
    return value if is_count and 0 <= value <= MOST_TOKENS else 0


def usage_of(*, prompt: int, completion: int, cached: int = 0) -> Usage | None:
    """Return the counts a server told; None where it told none, so that they are estimated."""
    return Usage(prompt, completion, cached) if prompt or completion else None


class Cumulative:
    """Turns answers that are told again from the start, longer each time, into what is new."""

    def __init__(self) -> None:
        self._told = ""

    def added(self, text: str) -> str:
        """Return what a text adds to the one before.

        Raises:
            ProviderError: it changes what was told already, which readers have seen.
        """
        if not text.startswith(self._told):
            raise fault("provider_protocol", "the server rewrote the beginning of its answer")
        new, self._told = text[len(self._told) :], text
        return new
