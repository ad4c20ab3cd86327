"""The endpoints of this moment, read from the database now and then, and who of them can answer."""

import logging
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.db import DatabaseError
from django.utils import timezone

from inference import selectors
from inference.conf import InferenceSettings, inference_settings
from inference.exceptions import InferenceError
from inference.providers.health import in_database
from inference.providers.records import server_of
from inference.providers.server import Server
from inference.providers.wire.limits import WireLimits

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Candidate:
    """An endpoint that may answer for a model.

    Attributes:
        server: how it is asked.
        failures_in_row: what it counted when it was read.
        rests_until: when it may be tried again; None while it works.
    """

    server: Server
    failures_in_row: int = 0
    rests_until: datetime | None = None

    def is_resting(self, now: datetime) -> bool:
        """Tell whether it is left alone now."""
        return self.rests_until is not None and now < self.rests_until

    def is_live(self, now: datetime) -> bool:
        """Tell whether it can be asked now: it has its key and does not rest."""
        return self.server.has_key and not self.is_resting(now)


Book = dict[str, tuple[Candidate, ...]]

_lock = threading.Lock()
_book: Book = {}
_read_at: float | None = None


async def endpoints_by_model() -> Book:
    """Return all enabled endpoints by the name of their model, as of a moment ago.

    A database that does not answer leaves the list as it was.
    """
    global _book, _read_at
    with _lock:
        book, read_at = _book, _read_at
    settings = inference_settings()
    if not settings.uses_endpoints:
        return {}
    if read_at is not None and time.monotonic() - read_at < settings.endpoints_reread_s:
        return book
    try:
        book = await in_database(_read)
    except DatabaseError as error:
        logger.warning("the endpoints could not be read: %s", error)
    with _lock:
        _book, _read_at = book, time.monotonic()
    return book


def reread_endpoints() -> None:
    """Read the endpoints anew next time, as their health has changed; until then keep the list."""
    global _read_at
    with _lock:
        _read_at = None


def forget_endpoints() -> None:
    """Read the endpoints anew next time."""
    global _book, _read_at
    with _lock:
        _book, _read_at = {}, None


def _read() -> Book:
    book: dict[str, list[Candidate]] = {}
    for endpoint in selectors.enabled_endpoints():
        try:
            server = server_of(endpoint)
        except InferenceError as error:
            logger.warning("endpoint %d cannot be used: %s", endpoint.pk, error)
            continue
        candidate = Candidate(server, endpoint.failures_in_row, endpoint.rests_until)
        book.setdefault(server.model, []).append(candidate)
    return {model: tuple(candidates) for model, candidates in book.items()}


def live_names(book: Book) -> frozenset[str]:
    """Return the models that at least one endpoint can answer for now."""
    now = timezone.now()
    return frozenset(
        model
        for model, candidates in book.items()
        if any(candidate.is_live(now) for candidate in candidates)
    )


def in_turn(candidates: Iterable[Candidate], turn: int) -> list[Candidate]:
    """Return the live ones in the order in which they are asked.

    Those whose rest is over come first, as only one request gets to try each; then those that
    work, by turns.
    """
    now = timezone.now()
    live = [candidate for candidate in candidates if candidate.is_live(now)]
    working = [candidate for candidate in live if candidate.rests_until is None]
    trying = [candidate for candidate in live if candidate.rests_until is not None]
    start = turn % len(working) if working else 0
    return [*trying, *working[start:], *working[:start]]


def wire_limits(settings: InferenceSettings) -> WireLimits:
    """Return the bounds of an exchange as the settings say."""
    return WireLimits(
        connect_s=settings.endpoint_connect_s,
        first_byte_s=settings.endpoint_first_byte_s,
        idle_s=settings.endpoint_idle_s,
        tries=settings.endpoint_tries,
        retry_budget_s=settings.endpoint_retry_budget_s,
        answer_bytes=settings.endpoint_answer_bytes,
    )
