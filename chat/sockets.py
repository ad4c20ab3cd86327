"""What the sockets of the site have in common: sessions, bounds, errors, one stream at a time."""

import asyncio
import json
import logging
import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing, suppress
from http.cookies import SimpleCookie
from typing import Any, ClassVar

from channels.generic.websocket import AsyncWebsocketConsumer
from django.conf import settings

from chat.conf import chat_settings
from chat.database import in_database
from chat.exceptions import ChatError, InvalidEventError, RateLimitedError
from chat.visitors import SESSION_ENTRY, Visitor, visitor_of_scope
from inference.exceptions import InferenceError

logger = logging.getLogger(__name__)

Event = dict[str, Any]


class EventSocket(AsyncWebsocketConsumer):  # type: ignore[misc]  # channels is untyped
    """A socket that takes and sends JSON events with a `type`.

    Whatever a client sends, it gets an answer in this form and the socket stays open. Subclasses
    answer events in `handle` and stream by handing an async generator to `stream`.
    """

    known_errors: ClassVar[tuple[type[Exception], ...]] = (ChatError, InferenceError)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.visitor: Visitor
        self.streaming: asyncio.Task[None] | None = None
        self.window_began_at = time.monotonic()
        self.window_events = 0

    async def handle(self, event: Event) -> None:
        """Answer one well-formed event; an error raised here becomes an `error` event."""
        raise NotImplementedError

    def refusal(self, error: Exception) -> Event:
        """Return the `error` event for a known error."""
        return error_event(error)

    async def connect(self) -> None:
        """Accept; a visitor without a session gets one in the answer to the handshake."""
        headers = await in_database(self._prepare)
        await self.accept(headers=headers)

    async def disconnect(self, code: int) -> None:  # noqa: ARG002  (Channels passes it)
        """Stop watching; the turns run on."""
        await self.stop_streaming()

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        """Check one frame, pass it on, and turn what goes wrong into an event."""
        try:
            self._spend_event()
            await self.handle(parse_event(text_data, bytes_data))
        except self.known_errors as error:
            await self.send_event(self.refusal(error))
        except Exception:
            logger.exception("an event could not be handled")
            await self.send_event(internal_error_event())

    async def send_event(self, event: Event) -> None:
        """Send one event."""
        await self.send(text_data=json.dumps(event, ensure_ascii=False))

    async def stream(self, events: AsyncGenerator[Event, None]) -> None:
        """Send events as they come, beside the handling of further ones.

        A stream that is still running here is no longer watched by this socket.
        """
        await self.stop_streaming()
        self.streaming = asyncio.create_task(self._send_all(events))

    async def stop_streaming(self) -> None:
        """Stop watching what this socket streams at the moment."""
        task, self.streaming = self.streaming, None
        if task is not None:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def _send_all(self, events: AsyncGenerator[Event, None]) -> None:
        try:
            async with aclosing(events) as source:
                async for event in source:
                    await self.send_event(event)
        except self.known_errors as error:
            await self.send_event(self.refusal(error))
        except Exception:
            logger.exception("a stream broke")
            await self.send_event(internal_error_event())

    def _prepare(self) -> list[tuple[bytes, bytes]]:
        """Find out who is there; return the headers that carry a new session's cookie."""
        session = self.scope["session"]
        is_new = not session.session_key or SESSION_ENTRY not in session
        self.visitor = visitor_of_scope(self.scope)
        if not is_new:
            return []
        session.save()
        return [(b"set-cookie", session_cookie(session.session_key).encode("ascii"))]

    def _spend_event(self) -> None:
        """Count an event of this socket.

        Raises:
            RateLimitedError: the minute has had its events.
        """
        now = time.monotonic()
        if now - self.window_began_at >= 60:
            self.window_began_at, self.window_events = now, 0
        self.window_events += 1
        if self.window_events > chat_settings().events_per_minute:
            raise RateLimitedError(retry_after_s=int(61 - (now - self.window_began_at)))


def parse_event(text: str | None, data: bytes | None) -> Event:
    """Read one frame.

    Raises:
        InvalidEventError: it is binary, too large, not JSON or not an object.
    """
    if text is None:
        size = len(data or b"")
        message = f"{size} bytes came as a binary frame; events are JSON text"
        raise InvalidEventError("invalid_event", message)
    limit_bytes = chat_settings().max_frame_bytes
    size = len(text.encode("utf-8", "surrogatepass"))
    if size > limit_bytes:
        message = f"the event has {size} bytes, {limit_bytes} are allowed"
        raise InvalidEventError("event_too_large", message)
    try:
        event = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidEventError("malformed_json", "the event is not JSON") from error
    if not isinstance(event, dict) or not isinstance(event.get("type"), str):
        raise InvalidEventError("invalid_event", "an event is an object with a type")
    return event


def unknown_event(event: Event, types: Mapping[str, str]) -> InvalidEventError:
    """Return the error for an event no handler takes.

    Args:
        event: what came.
        types: for each known type the fields it needs, in words.
    """
    if event["type"] in types:
        message = f"the event {event['type']} needs {types[event['type']]}"
        return InvalidEventError("invalid_event", message)
    message = f"the event {event['type'][:40]!r} is not known"
    return InvalidEventError("unknown_event", message)


def error_event(error: Exception) -> Event:
    """Return the event for an error that has a code."""
    event: Event = {
        "type": "error",
        "code": getattr(error, "code", "internal_error"),
        "message": str(error),
    }
    retry_after_s = getattr(error, "retry_after_s", None)
    return event if retry_after_s is None else {**event, "retry_after_s": retry_after_s}


def internal_error_event() -> Event:
    """Return the event for an error of our own; the log has the rest."""
    return {
        "type": "error",
        "code": "internal_error",
        "message": "something went wrong on this site",
    }


def session_cookie(session_key: str) -> str:
    """Return the value of a Set-Cookie header that carries a session."""
    name = settings.SESSION_COOKIE_NAME
    cookie = SimpleCookie({name: session_key})
    morsel = cookie[name]
    morsel["path"] = settings.SESSION_COOKIE_PATH
    morsel["max-age"] = settings.SESSION_COOKIE_AGE
    morsel["samesite"] = settings.SESSION_COOKIE_SAMESITE
    if settings.SESSION_COOKIE_DOMAIN:
        morsel["domain"] = settings.SESSION_COOKIE_DOMAIN
    if settings.SESSION_COOKIE_HTTPONLY:
        morsel["httponly"] = True
    if settings.SESSION_COOKIE_SECURE:
        morsel["secure"] = True
    return morsel.OutputString()
