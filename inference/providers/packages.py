"""Packages that only some providers need, and that not every site has."""

from importlib.util import find_spec

from inference.exceptions import InvalidRequestError


def how_to_install(*, purpose: str, package: str, extra: str) -> str:
    """Return the sentence that says what is missing and what to do."""
    return f"{purpose} needs the package {package}: pip install 'fastchat-site[{extra}]'"


def need_package(module: str, *, purpose: str, package: str, extra: str) -> None:
    """Return if a module can be imported; it is not imported yet.

    Raises:
        InvalidRequestError: it cannot; the message says how to install it.
    """
    try:
        is_there = find_spec(module) is not None
    except (ModuleNotFoundError, ValueError):  # a parent is missing, or was taken out
        is_there = False
    if not is_there:
        raise InvalidRequestError(
            how_to_install(purpose=purpose, package=package, extra=extra), param="dialect"
        )
