"""The verbs: start, follow, cancel, and what is made of them."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

from inference.client.hub import Hub, known_hub, open_hub
from inference.exceptions import GenerationFailedError, InvalidRequestError
from inference.generation import Delta, FinishReason, GenerationRequest, Reply, Usage
from inference.providers import registry
from inference.providers.transport import ask, post, site_bus
from inference.requests import AnyRequest


async def start(request: AnyRequest) -> None:
    """Set an answer going; read it with `follow`. A known `request_id` changes nothing.

    Raises:
        ModelNotFoundError: nobody knows the model.
        ModelUnavailableError: no worker serves it now.
        QueueFullError: too many requests for it are unfinished.
        BusUnavailableError: Redis or the broker does not answer.
        InvalidRequestError: there is nothing to answer, or too much.
    """
    await _begin(request, await _hub())


async def _begin(request: AnyRequest, hub: Hub) -> None:
    """Have a provider start; a caller that is cancelled meanwhile leaves nothing half begun."""
    provider = await registry.provider_for(request.model)
    starting = asyncio.ensure_future(provider.start(request, inbox=hub.inbox))

    def undo(started: asyncio.Future[None]) -> None:
        if not started.cancelled() and started.exception() is None:
            post(site_bus().cancel, request.request_id)

    try:
        await asyncio.shield(starting)
    except asyncio.CancelledError:
        starting.add_done_callback(undo)
        raise


async def follow(request_id: str, *, from_seq: int = 0) -> AsyncGenerator[Delta, None]:
    """Yield an answer from its token `from_seq` on, as it is generated.

    Any number of followers in any process get the same tokens, each once and in order. Leaving
    early does not stop the answer.

    Raises:
        RequestExpiredError: nothing is known about the answer (any more).
        BusUnavailableError: Redis does not answer.
        InvalidRequestError: `from_seq` is negative.
    """
    if from_seq < 0:
        raise InvalidRequestError(f"seq must not be negative, got {from_seq}", param="seq")
    hub = await _hub()
    reader = hub.open(request_id, from_seq)
    try:
        view = await ask(site_bus().attach, request_id, hub.inbox)
        reader.take(view.log)
        async with aclosing(reader.deltas()) as deltas:
            async for delta in deltas:
                yield delta
    finally:
        hub.close(reader)


async def stream_reply(request: AnyRequest) -> AsyncGenerator[Delta, None]:
    """Start an answer and yield it; closing the generator before the end cancels it.

    Raises:
        InferenceError: as `start`, before the first delta.
    """
    hub = await _hub()
    reader = hub.open(request.request_id, 0)
    has_begun = False
    try:
        await _begin(request, hub)
        has_begun = True
        async with aclosing(reader.deltas()) as deltas:
            async for delta in deltas:
                yield delta
    finally:
        hub.close(reader)
        if has_begun and not reader.has_ended:
            # In the background: who closes a generator may be cancelled itself, and cannot wait.
            post(site_bus().cancel, request.request_id)


async def complete_reply(request: GenerationRequest) -> Reply:
    """Return a whole answer.

    Raises:
        GenerationFailedError: the answer began and broke.
        InferenceError: as `start`.
    """
    pieces: list[str] = []
    tokens = 0
    async with aclosing(stream_reply(request)) as deltas:
        async for delta in deltas:
            pieces.append(delta.text)
            tokens = delta.next_seq
            if delta.failure is not None:
                raise GenerationFailedError(code=delta.failure.code, message=delta.failure.message)
            if delta.finish_reason is not None:
                usage = delta.usage or Usage(0, tokens)
                return Reply("".join(pieces), delta.finish_reason, usage)
    return Reply("".join(pieces), FinishReason.CANCELLED, Usage(0, tokens))


async def cancel(request_id: str) -> None:
    """Stop an answer; its last delta will say `cancelled`. An ended or unknown one stays as it is.

    Raises:
        BusUnavailableError: Redis does not answer.
    """
    await ask(site_bus().cancel, request_id)


async def _hub() -> Hub:
    """Return the hub; the first call connects to the bus and may wait a moment."""
    hub = known_hub()
    return await ask(open_hub) if hub is None else hub
