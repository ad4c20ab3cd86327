"""What a provider is."""

from collections.abc import AsyncGenerator
from typing import Protocol

from inference.bus.outbox import Output
from inference.generation import GenerationRequest
from inference.requests import AnyRequest


class Provider(Protocol):
    """Gets requests answered; the answer appears on the bus."""

    async def start(self, request: AnyRequest, *, inbox: str) -> None:
        """Admit a request and set its answer going.

        Args:
            request: what is wanted; a `request_id` that is known already changes nothing.
            inbox: the web process that listens first.

        Raises:
            ModelNotFoundError, ModelUnavailableError, QueueFullError, BusUnavailableError.
        """
        ...


class TextSource(Protocol):
    """Writes answers in this process: a script, or somebody else's server.

    The last output of an answer has a `finish_reason`. An `InferenceError` ends the answer with
    its code. The generator is closed when the answer is cancelled.
    """

    def stream(self, request: GenerationRequest) -> AsyncGenerator[Output, None]:
        """Yield the answer piece by piece."""
        ...


class AnySource(Protocol):
    """A source that also makes vectors and tells tokens; else as `TextSource`."""

    def stream(self, request: AnyRequest) -> AsyncGenerator[Output, None]:
        """Yield what is wanted piece by piece."""
        ...
