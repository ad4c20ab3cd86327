"""Answers written by a server elsewhere: tries, pieces, and the counts at the end."""

import asyncio
import logging
import random
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, replace

from inference.bus.outbox import Output
from inference.exceptions import InvalidRequestError, ProviderError
from inference.generation import FinishReason, GenerationRequest, Usage
from inference.messages import Message
from inference.providers.dialect import Dialect, Piece
from inference.providers.server import Server
from inference.providers.stop_cut import StopCut
from inference.providers.wire.client import exchange
from inference.providers.wire.faults import RETRIED, fault
from inference.providers.wire.limits import WireLimits
from inference.providers.wire.mending import TextMender

logger = logging.getLogger(__name__)

FIRST_PAUSE_S = 0.5
BYTES_PER_TOKEN = 4  # of English text with today's tokenizers; only where a server counts nothing
IMAGE_TOKENS = 500
# An answer of 4,000 tokens, told from the start with each of them, has 30 MB.
REPETITIONS = 16


def estimated_tokens(text: str) -> int:
    """Return about how many tokens a text has: a quarter of its bytes, rounded up."""
    return -(-len(text.encode()) // BYTES_PER_TOKEN)


def estimated_prompt(messages: tuple[Message, ...]) -> int:
    """Return about how many tokens a conversation has."""
    texts = sum(estimated_tokens(message.content) for message in messages)
    return texts + IMAGE_TOKENS * sum(len(message.images) for message in messages)


@dataclass(slots=True)
class _Ending:
    """What is known of an answer's end before it is reached."""

    text_bytes: int = 0
    finish_reason: FinishReason | None = None
    usage: Usage | None = None

    def note(self, piece: Piece) -> None:
        self.text_bytes += len(piece.text.encode(errors="replace"))
        self.finish_reason = piece.finish_reason or self.finish_reason
        self.usage = piece.usage or self.usage

    def counts(self, messages: tuple[Message, ...]) -> Usage:
        """Return the server's counts; where it told none, an estimate."""
        told = self.usage or Usage(0, -(-self.text_bytes // BYTES_PER_TOKEN))
        return replace(told, prompt_tokens=told.prompt_tokens or estimated_prompt(messages))


class RemoteSource:
    """Asks one server in its dialect.

    Before the first piece of text a try that may succeed later is repeated: after what the server
    asks for in `Retry-After`, else after pauses that double, with jitter. After it nothing is
    repeated, since a reader has seen the beginning.

    Args:
        server: whom to ask.
        dialect: its language.
        limits: the bounds of the exchange.
    """

    def __init__(self, server: Server, dialect: Dialect, limits: WireLimits) -> None:
        self.server = server
        self._dialect = dialect
        factor = REPETITIONS if dialect.repeats_itself else 1
        self._limits = replace(limits, answer_bytes=factor * limits.answer_bytes)

    async def stream(self, request: GenerationRequest) -> AsyncGenerator[Output, None]:
        """Yield the answer; see `TextSource`.

        Raises:
            InvalidRequestError: the server cannot do what is wanted.
            ProviderError: it did not.
        """
        adapted = self.server.adapt(request)
        self._check(adapted)
        deadline = time.monotonic() + self._limits.retry_budget_s
        for attempt in range(1, self._limits.tries + 1):
            ending = _Ending()
            try:
                async with aclosing(self._attempt(adapted, ending)) as outputs:
                    async for output in outputs:
                        yield output
                return
            except ProviderError as error:
                pause_s = pause_before(attempt + 1, error)
                is_over = ending.text_bytes > 0 or attempt == self._limits.tries
                if is_over or pause_s is None or time.monotonic() + pause_s > deadline:
                    raise self._told(error) from None
                logger.info("asking for %r again in %.1f s", self.server.model, pause_s)
            await asyncio.sleep(pause_s)

    def _check(self, request: GenerationRequest) -> None:
        """Refuse what no server of this kind, or none at this endpoint, can do."""
        takes_images = self.server.takes_images and self._dialect.takes_images
        refused = {
            "prompt": request.prompt is not None and "continues no raw prompts",
            "tools": bool(request.tools) and not self._dialect.takes_tools and "calls no tools",
            "tool_calls": any(entry.tool_calls or entry.tool_call_id for entry in request.messages)
            and not self._dialect.takes_tools
            and "takes no messages of tools",
            "messages": any(entry.images for entry in request.messages)
            and not takes_images
            and "takes no images",
            "chat_template_kwargs": bool(request.template_options)
            and not self._dialect.takes_template_options
            and "takes no options of a chat template",
        }
        for param, reason in refused.items():
            if reason:
                raise InvalidRequestError(f"the model {self.server.model!r} {reason}", param=param)

    async def _attempt(
        self, request: GenerationRequest, ending: _Ending
    ) -> AsyncGenerator[Output, None]:
        """Yield one try's answer."""
        wire_request = await self._dialect.prepare(self.server, request)
        async with (
            exchange(wire_request, self._limits, refusal=self._dialect.fault) as response,
            aclosing(self._dialect.read(response)) as pieces,
        ):
            cut, mender = StopCut(wire_request.stop), TextMender()
            try:
                async for piece in pieces:
                    ending.note(piece)
                    if piece.written_by:
                        logger.info("%s wrote %s", piece.written_by, request.request_id)
                    if text := cut.feed(mender.feed(piece.text)):
                        yield Output(request.request_id, (text,))
                    if cut.is_over:
                        ending.finish_reason = FinishReason.STOP
                        break
            except ProviderError as error:
                # What the reader came for is there already, only the counts are missing.
                if ending.finish_reason is None:
                    raise
                logger.debug("broke off after the end: %s", error.detail)
        if ending.finish_reason is None:
            raise fault("provider_cut_off", "the stream ended without a finish reason")
        if text := cut.feed(mender.close()) + cut.close():
            yield Output(request.request_id, (text,))
        yield Output(
            request.request_id,
            finish_reason=ending.finish_reason,
            usage=ending.counts(request.messages),
        )

    def _told(self, error: ProviderError) -> ProviderError:
        """Log a failure and return it for the reader; neither shows the key."""
        server = self.server
        detail = server.hide_key(error.detail)
        logger.warning(
            "the endpoint %s of %r failed: %s (%s)", server.url, server.model, error.code, detail
        )
        return ProviderError(
            error.code,
            server.hide_key(str(error)),
            retry_after_s=error.retry_after_s,
            detail=detail,
        )


def pause_before(attempt: int, error: ProviderError) -> float | None:
    """Return how long to wait before a try, in seconds; None where none would help.

    Args:
        attempt: number of the try to come, from 2.
        error: how the one before it failed.
    """
    if error.code not in RETRIED:
        return None
    if error.retry_after_s is not None:
        return error.retry_after_s + random.uniform(0, 0.1)
    return FIRST_PAUSE_S * 2.0 ** (attempt - 2) * random.uniform(0.75, 1.25)
