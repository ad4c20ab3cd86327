"""The environment, read here and nowhere else."""

import os
from pathlib import Path


class MissingVariableError(RuntimeError):
    """A variable that has no safe default is not set."""

    def __init__(self, name: str, hint: str) -> None:
        super().__init__(f"set the environment variable {name}: {hint}")


def text(name: str, default: str = "") -> str:
    """Return a variable as text without surrounding space."""
    return os.environ.get(name, default).strip()


def required(name: str, *, hint: str) -> str:
    """Return a variable that has no safe default.

    Raises:
        MissingVariableError: it is unset or empty.
    """
    value = text(name)
    if not value:
        raise MissingVariableError(name, hint)
    return value


def flag(name: str, *, default: bool) -> bool:
    """Return a variable as yes or no; 1, true, yes and on mean yes."""
    value = text(name).lower()
    return value in {"1", "true", "yes", "on"} if value else default


def number(name: str, default: int) -> int:
    """Return a variable as a whole number."""
    return int(text(name) or default)


def names(name: str, default: str = "") -> list[str]:
    """Return a comma-separated variable as a list without empty entries."""
    return [entry.strip() for entry in text(name, default).split(",") if entry.strip()]


def folder(name: str, default: Path) -> Path:
    """Return a variable as an absolute path."""
    return Path(text(name) or default).resolve()
