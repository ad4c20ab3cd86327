"""What a dialect is: how servers of one kind are asked and how their answers are read.

A new kind of server is a file with one class here and a line in `dialects`.
"""

import json
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, ClassVar

from inference.exceptions import InvalidRequestError, ProviderError
from inference.generation import FinishReason, GenerationRequest, Usage
from inference.providers.server import Server
from inference.providers.wire.client import WireRequest
from inference.providers.wire.faults import fault_of_response
from inference.providers.wire.response import WireResponse

Check = Callable[[Any], bool]
"""Tells whether a value can be that of an option."""


@dataclass(frozen=True, slots=True)
class Piece:
    """What one chunk of a server's answer adds; any part may be missing.

    Attributes:
        text: more of the answer.
        finish_reason: why it ended; it may come before the usage.
        usage: the server's own counts; a later one replaces an earlier one, and a prompt of 0
            tokens was not counted.
        written_by: the model a router chose.
    """

    text: str = ""
    finish_reason: FinishReason | None = None
    usage: Usage | None = None
    written_by: str = ""


class Dialect(ABC):
    """One kind of server; it has no state of its own.

    Attributes:
        default_url: address where the endpoint names none; empty where it must name one.
        needs_key: whether the server answers nobody without a key.
        takes: our sampling parameters the server takes → their names there.
        takes_images: whether messages may hold images.
        takes_tools: whether functions may be offered, and messages hold calls and results.
        takes_template_options: whether further names for the chat template can be sent.
        repeats_itself: whether each chunk tells all of the answer so far, so that many more bytes
            come than the answer has.
        options: what endpoints may set beside the common fields → how a value is checked.
        required_options: those that must be set.
    """

    default_url: ClassVar[str] = ""
    needs_key: ClassVar[bool] = True
    takes: ClassVar[Mapping[str, str]] = MappingProxyType({})
    takes_images: ClassVar[bool] = False
    takes_tools: ClassVar[bool] = False
    takes_template_options: ClassVar[bool] = False
    repeats_itself: ClassVar[bool] = False
    options: ClassVar[Mapping[str, Check]] = MappingProxyType({})
    required_options: ClassVar[frozenset[str]] = frozenset()

    @abstractmethod
    async def prepare(self, server: Server, request: GenerationRequest) -> WireRequest:
        """Return the HTTP request for an answer.

        Args:
            server: where it goes; `request` is adapted to it already (see `Server.adapt`).
            request: what is wanted; its images are known to be welcome.

        Raises:
            InvalidRequestError: this kind of server cannot do what is wanted.
            ProviderError: there is no key.
        """

    @abstractmethod
    def read(self, response: WireResponse) -> AsyncGenerator[Piece, None]:
        """Yield the pieces of a successful answer.

        A piece with a `finish_reason` must come; an answer that ends without one was cut off.

        Raises:
            ProviderError: the answer says so, is not in this dialect, or breaks off.
        """

    def fault(self, status: int, headers: Mapping[str, str], body: bytes) -> ProviderError:
        """Return what an answer with an error status means; see `wire.faults`."""
        return fault_of_response(status, headers, body)

    def check(self, server: Server) -> None:
        """Return if endpoints of this kind can look like this.

        Raises:
            InvalidRequestError: an option is unknown, missing or of the wrong form.
        """
        for name, value in server.options.items():
            if name not in self.options:
                known = ", ".join(sorted(self.options)) or "none"
                raise InvalidRequestError(
                    f"{server.dialect} has no option {name!r}; it has {known}", param="options"
                )
            if not self.options[name](value):
                raise InvalidRequestError(
                    f"the option {name!r} cannot be {value!r}", param="options"
                )
        if missing := sorted(self.required_options - set(server.options)):
            raise InvalidRequestError(
                f"{server.dialect} needs the option {missing[0]!r}", param="options"
            )


def json_request(
    url: str, body: Mapping[str, Any], headers: Mapping[str, str], *, server: Server
) -> WireRequest:
    """Return a request with a JSON body, the endpoint's extra fields under ours."""
    content = json.dumps({**server.extra_body, **body}, ensure_ascii=False).encode(errors="replace")
    return WireRequest(
        url=url, headers={"Content-Type": "application/json", **headers}, content=content
    )


def key_header(server: Server, name: str, form: str = "{}") -> dict[str, str]:
    """Return the key in the header where a server looks for it; nothing where none is needed."""
    key = server.key()
    return {name: form.format(key)} if key else {}


def joined(base: str, path: str) -> str:
    """Return the address of a path under a base address, whether that ends with a slash or not."""
    return f"{base.rstrip('/')}/{path.lstrip('/')}"


def is_text(value: Any) -> bool:
    """Tell whether an option is a text of reasonable length on one line."""
    return isinstance(value, str) and 0 < len(value) <= 300 and value.isprintable()


def is_flag(value: Any) -> bool:
    """Tell whether an option is true or false."""
    return isinstance(value, bool)
