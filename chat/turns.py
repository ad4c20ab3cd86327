"""One turn: an answer is asked for, grows, and is stored, whoever is watching.

A turn belongs to the process, not to a socket: it runs on when the visitor's connection breaks, and
sockets watch it through `inference.client`. A process that is asked to watch a turn it does not
know (after a restart, or beside another web process) takes it over from the answer's log.
"""

import asyncio
import contextvars
import logging
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress

from django.utils import timezone

from chat.conf import chat_settings
from chat.database import in_database
from chat.models import Message
from chat.selectors import generation_request
from chat.services import Outcome, finish_answer, save_partial
from chat.watching import cancel_when_abandoned, mark_watched, watching
from inference import client
from inference.exceptions import InferenceError, RequestExpiredError
from inference.generation import Delta, Failure, FinishReason

logger = logging.getLogger(__name__)

INTERRUPTED = "interrupted"
STATE_OF_REASON: dict[FinishReason, Message.State] = {
    FinishReason.STOP: Message.State.DONE,
    FinishReason.LENGTH: Message.State.DONE,
    FinishReason.CANCELLED: Message.State.CANCELLED,
    FinishReason.ERROR: Message.State.FAILED,
}


class Turn:
    """An answer this process takes care of.

    Attributes:
        answer: the open message, as it was when the turn began here.
        started: done when the model has been asked; carries the error when that failed.
        task: ends when the outcome is stored.
    """

    def __init__(self, answer: Message, *, is_new: bool) -> None:
        self.answer = answer
        self.request_id = request_id_of(answer)
        loop = asyncio.get_running_loop()
        self.started: asyncio.Future[None] = loop.create_future()
        # An empty context: the one of a request names a thread that leaves with the request.
        self.task = loop.create_task(self._run(is_new=is_new), context=contextvars.Context())

    async def _run(self, *, is_new: bool) -> None:
        try:
            if is_new:
                await client.start(await in_database(generation_request, self.answer))
        except Exception as error:
            await self._finish(failed(error, text=""))
            self.started.set_exception(error)
            self.started.exception()  # whoever waits still gets it; nobody has to
            return
        self.started.set_result(None)
        guard = asyncio.create_task(cancel_when_abandoned(self.request_id))
        try:
            await self._finish(await self._outcome())
        finally:
            guard.cancel()

    async def _outcome(self) -> Outcome:
        """Follow the answer to its end and return how that was."""
        texts: list[str] = []
        loop = asyncio.get_running_loop()
        saved_at = loop.time()
        try:
            async with aclosing(self._deltas()) as deltas:
                async for delta in deltas:
                    texts.append(delta.text)
                    if delta.is_last:
                        return ended(delta, text="".join(texts))
                    if loop.time() - saved_at >= chat_settings().save_every_s:
                        await in_database(
                            save_partial, message_id=self.answer.pk, text="".join(texts)
                        )
                        saved_at = loop.time()
        except Exception as error:
            return failed(error, text="".join(texts) or self.answer.content)
        return Outcome(Message.State.INTERRUPTED, "".join(texts), error_code=INTERRUPTED)

    async def _deltas(self) -> AsyncGenerator[Delta, None]:
        """Follow the answer; one that was stored a moment ago may have no log yet."""
        while True:
            has_begun = False
            try:
                async with aclosing(client.follow(self.request_id)) as deltas:
                    async for delta in deltas:
                        has_begun = True
                        yield delta
                return
            except RequestExpiredError:
                age_s = (timezone.now() - self.answer.created_at).total_seconds()
                if has_begun or age_s > chat_settings().expiry_grace_s:
                    raise
            await asyncio.sleep(0.5)

    async def _finish(self, outcome: Outcome) -> None:
        try:
            await in_database(finish_answer, message_id=self.answer.pk, outcome=outcome)
        except Exception:  # the answer stays open; whoever watches next settles it
            logger.exception("the answer %s could not be stored", self.request_id)


_turns: dict[str, Turn] = {}


async def start_turn(answer: Message) -> None:
    """Ask the model for an open answer; return when it has been asked.

    Raises:
        InferenceError: nobody can answer now; the answer is stored as failed.
    """
    await mark_watched(request_id_of(answer))
    await asyncio.shield(_turn(answer, is_new=True).started)


async def watch_turn(answer: Message, *, from_seq: int = 0) -> AsyncGenerator[Delta, None]:
    """Yield the deltas of an answer from a token on.

    The last delta comes after the outcome is stored: who has seen it may rely on the record. An
    answer whose log is gone ends with a delta that says so.
    """
    turn = _turn(answer, is_new=False)
    next_seq = from_seq
    async with watching(turn.request_id):
        try:
            async with aclosing(client.follow(turn.request_id, from_seq=from_seq)) as deltas:
                async for delta in deltas:
                    if delta.is_last:
                        await _settled(turn)
                    next_seq = delta.next_seq
                    yield delta
                    if delta.is_last:
                        return
        except InferenceError as error:
            logger.info("watching %s ended: %s", turn.request_id, error)
        await _settled(turn)
        yield await stored_end(answer, seq=next_seq)


async def stop_turn(answer: Message) -> None:
    """Ask for the end of an answer; what there is of it is kept.

    Raises:
        BusUnavailableError: the wish could not be passed on.
    """
    request_id = request_id_of(answer)
    turn = _turns.get(request_id)
    if turn is not None:
        with suppress(Exception):
            await asyncio.shield(turn.started)
    await client.cancel(request_id)


async def stored_end(answer: Message, *, seq: int) -> Delta:
    """Return the last delta of an answer as the record tells it, for watchers whose stream broke.

    Text that the watcher has not seen cannot be told apart, so a finished answer reads as
    interrupted here: asking again for the state shows it whole.
    """
    stored = await Message.objects.aget(pk=answer.pk)
    code = stored.error_code or INTERRUPTED
    failure = Failure(code=code, message="the answer was interrupted")
    return Delta(seq=seq, finish_reason=FinishReason.ERROR, failure=failure)


def request_id_of(answer: Message) -> str:
    """Return the id under which the answer was asked for; only prompts have none."""
    assert answer.request_id is not None
    return answer.request_id


def ended(delta: Delta, *, text: str) -> Outcome:
    """Return the outcome that the last delta of an answer tells."""
    assert delta.finish_reason is not None
    return Outcome(
        state=STATE_OF_REASON[delta.finish_reason],
        text=text,
        finish_reason=delta.finish_reason,
        usage=delta.usage,
        error_code=delta.failure.code if delta.failure else "",
    )


def failed(error: Exception, *, text: str) -> Outcome:
    """Return the outcome of an answer that an error ended."""
    if isinstance(error, RequestExpiredError):
        return Outcome(Message.State.INTERRUPTED, text, error_code=INTERRUPTED)
    if isinstance(error, InferenceError):
        return Outcome(Message.State.FAILED, text, FinishReason.ERROR, error_code=error.code)
    logger.error("an answer broke", exc_info=error)
    return Outcome(Message.State.FAILED, text, FinishReason.ERROR, error_code="internal_error")


def _turn(answer: Message, *, is_new: bool) -> Turn:
    """Return the turn of an answer, which begins here if this process does not know it."""
    request_id = request_id_of(answer)
    turn = _turns.get(request_id)
    if turn is None:
        turn = _turns[request_id] = Turn(answer, is_new=is_new)
        turn.task.add_done_callback(lambda _task: _turns.pop(request_id, None))
    return turn


async def _settled(turn: Turn) -> None:
    """Return when the outcome is stored, or when it takes too long."""
    await asyncio.wait({turn.task}, timeout=chat_settings().settle_timeout_s)
