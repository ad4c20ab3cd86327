"""The line to a server of OpenAI's protocol: address, limits, and failures in one sentence."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import httpx2

from inference.exceptions import GenerationFailedError, InvalidRequestError

CONNECT_S = 10.0
SILENCE_S = 120.0
"""Longest wait for the next bytes; a busy server may let a request stand in its queue."""
LARGEST_BODY_BYTES = 8 * 1024 * 1024
LONGEST_COMPLAINT = 300


def base_url(text: str) -> str:
    """Return a server's base address with `/v1` at its end.

    Raises:
        InvalidRequestError: it is no http address, or holds a password.
    """
    try:
        url = httpx2.URL(text)
    except httpx2.InvalidURL as error:
        raise InvalidRequestError(f"{text!r} is no address: {error}") from error
    if url.scheme not in {"http", "https"} or not url.host or url.userinfo:
        raise InvalidRequestError(f"{text!r} is no address such as http://127.0.0.1:8000")
    path = url.path.rstrip("/").removesuffix("/chat/completions")
    path = path if path.endswith("/v1") else f"{path}/v1"
    return str(url.copy_with(path=path, query=None, fragment=None))


def client_options(api_key: str) -> dict[str, Any]:
    """Return the arguments of an httpx2 client; without a key none is sent."""
    return {
        "timeout": httpx2.Timeout(SILENCE_S, connect=CONNECT_S),
        "headers": {"Authorization": f"Bearer {api_key}"} if api_key else {},
    }


def check_size(body: bytes) -> None:
    """Refuse a body without end.

    Raises:
        GenerationFailedError: it is larger than any honest one.
    """
    if len(body) > LARGEST_BODY_BYTES:
        raise GenerationFailedError(code="bad_answer", message="the server sends without end")


def refusal(status: int, body: bytes) -> GenerationFailedError:
    """Make an error of a response that is none of the expected."""
    code = f"http_{status}"
    try:
        return complaint(json.loads(body)["error"], code)
    except (ValueError, KeyError, TypeError):
        return GenerationFailedError(code=code, message=f"the server answered {status}")


def complaint(error: Any, code: str) -> GenerationFailedError:
    """Make an error of the one in an OpenAI body."""
    message = error.get("message") if isinstance(error, Mapping) else error
    return GenerationFailedError(code=code, message=str(message)[:LONGEST_COMPLAINT])


@contextmanager
def line_failures(url: str) -> Iterator[None]:
    """Turn what goes wrong on the line into one sentence.

    Raises:
        GenerationFailedError: something went wrong.
    """
    try:
        yield
    except httpx2.TimeoutException as error:
        raise GenerationFailedError(
            code="timeout", message=f"the server at {url} does not answer"
        ) from error
    except httpx2.ConnectError as error:
        raise GenerationFailedError(
            code="unreachable", message=f"the server at {url} cannot be reached: {error}"
        ) from error
    except httpx2.HTTPError as error:
        raise GenerationFailedError(
            code="cut_off", message=f"the line to {url} broke: {error}"
        ) from error
