"""Requests for models that servers elsewhere answer: one endpoint, or the next where it fails."""

import itertools
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

from inference.bus.outbox import Output
from inference.conf import inference_settings
from inference.exceptions import ModelUnavailableError, ProviderError, QueueFullError
from inference.generation import GenerationRequest
from inference.providers import health
from inference.providers.dialects import dialect_named
from inference.providers.endpoints import Candidate, in_turn, reread_endpoints, wire_limits
from inference.providers.remote import RemoteSource
from inference.providers.stage import StageProvider
from inference.rate_limit import Allowance, spend_one
from inference.requests import AnyRequest

RATE_SCOPE = "endpoint"
# What another endpoint of the same model would refuse just so.
FINAL = frozenset({"invalid_request", "context_length_exceeded", "content_filtered"})

_turns = itertools.count()


class EndpointSource:
    """Asks endpoints one after the other until one begins to answer.

    Args:
        candidates: endpoints of one model, in the order in which they are asked; at least one,
            and the first one's minute is counted already.
    """

    def __init__(self, candidates: Sequence[Candidate]) -> None:
        self._candidates = candidates

    async def stream(self, request: GenerationRequest) -> AsyncGenerator[Output, None]:
        """Yield the answer; see `TextSource`.

        Raises:
            InferenceError: as the last endpoint that was asked.
        """
        failure: ProviderError | None = None
        for candidate in self._candidates:
            if failure is not None and (await _spend(candidate)).is_exceeded:
                continue
            has_begun = False
            try:
                async with aclosing(_ask(candidate, request)) as outputs:
                    async for output in outputs:
                        has_begun = True
                        yield output
                return
            except ProviderError as error:
                if has_begun or error.code in FINAL:
                    raise
                failure = error
        assert failure is not None
        raise failure


async def _ask(candidate: Candidate, request: GenerationRequest) -> AsyncGenerator[Output, None]:
    """Yield one endpoint's answer and note how it went."""
    server = candidate.server
    limits = wire_limits(inference_settings())
    source = RemoteSource(server, dialect_named(server.dialect), limits)
    try:
        async with aclosing(source.stream(request)) as outputs:
            async for output in outputs:
                if output.finish_reason is not None and candidate.failures_in_row:
                    await health.note(None, endpoint_id=server.endpoint_id)
                    reread_endpoints()
                yield output
    except ProviderError as error:
        await health.note(error.code, endpoint_id=server.endpoint_id)
        reread_endpoints()
        raise


class EndpointProvider:
    """Requests for a model with endpoints.

    A model may have as many requests as its endpoints have slots together, in all processes.

    Args:
        model: its name.
        candidates: its endpoints.
    """

    def __init__(self, model: str, candidates: Sequence[Candidate]) -> None:
        self._model = model
        self._candidates = candidates

    async def start(self, request: AnyRequest, *, inbox: str) -> None:
        """Admit a request and begin its answer; see `Provider.start`."""
        chosen = await self._admitted(in_turn(self._candidates, next(_turns)))
        slots = sum(candidate.server.slots for candidate in chosen)
        stage = StageProvider(EndpointSource(chosen), slots=slots)
        await stage.start(request, inbox=inbox)

    async def _admitted(self, live: Sequence[Candidate]) -> list[Candidate]:
        """Return the endpoints that may be asked, the first one's minute counted.

        Raises:
            ModelUnavailableError: none has its key and works.
            QueueFullError: all had their requests of this minute.
        """
        spent: list[Allowance] = []
        for position, candidate in enumerate(live):
            if candidate.rests_until is not None and not await _takes_trial(candidate):
                continue
            allowance = await _spend(candidate)
            if not allowance.is_exceeded:
                return [candidate, *(c for c in live[position + 1 :] if c.rests_until is None)]
            spent.append(allowance)
        if spent:
            wait_s = min(allowance.reset_s for allowance in spent)
            raise QueueFullError(self._model, retry_after_s=wait_s)
        raise ModelUnavailableError(self._model)


async def _takes_trial(candidate: Candidate) -> bool:
    return await health.in_database(health.take_trial, endpoint_id=candidate.server.endpoint_id)


async def _spend(candidate: Candidate) -> Allowance:
    """Count a request to an endpoint that has a limit; one that has none has always room."""
    server = candidate.server
    if not server.requests_per_minute:
        return Allowance(limit=0, remaining=0, reset_s=0)
    return await health.in_database(
        spend_one,
        scope=RATE_SCOPE,
        caller=str(server.endpoint_id),
        limit=server.requests_per_minute,
    )
