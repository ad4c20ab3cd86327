"""Endpoints that fail rest for a while: a circuit breaker that all processes share.

    closed ── N failures in a row ──▶ open ── rest is over ──▶ half open
      ▲                                 ▲                        │ one request goes through
      └───────────── it worked ─────────┼────────────────────────┤
                                        └── it failed: rest twice as long

The state is in the record, so that every web process knows it and the admin shows it.
"""

import logging
from collections.abc import Callable
from datetime import timedelta
from typing import ParamSpec, TypeVar

from asgiref.sync import sync_to_async
from django.db import DatabaseError, close_old_connections
from django.db.models import F
from django.utils import timezone

from inference.conf import inference_settings
from inference.models import Endpoint

logger = logging.getLogger(__name__)

P = ParamSpec("P")
T = TypeVar("T")

MOST_REST = timedelta(minutes=10)
# What says nothing about the server's health: the request was wrong, or too many came.
BLAMELESS = frozenset(
    {"invalid_request", "context_length_exceeded", "content_filtered", "provider_rate_limited"}
)


def rest_after(failures: int) -> timedelta:
    """Return how long an endpoint rests after so many failures in a row."""
    settings = inference_settings()
    over = failures - settings.endpoint_failures_allowed
    if over < 0:
        return timedelta(0)
    rest = timedelta(seconds=settings.endpoint_rest_s * 2 ** min(over, 10))
    return min(rest, MOST_REST)


def note_failure(*, endpoint_id: int, code: str) -> None:
    """Count a failure, and send the endpoint to rest if there were too many in a row."""
    now = timezone.now()
    Endpoint.objects.filter(pk=endpoint_id).update(
        failures_in_row=F("failures_in_row") + 1, last_failure=code[:64], last_failed_at=now
    )
    failures = Endpoint.objects.values_list("failures_in_row", flat=True).get(pk=endpoint_id)
    if rest := rest_after(failures):
        Endpoint.objects.filter(pk=endpoint_id).update(rests_until=now + rest)
        logger.warning("endpoint %d rests for %s after %d failures", endpoint_id, rest, failures)


def note_success(*, endpoint_id: int) -> None:
    """Forget the failures of an endpoint that works."""
    Endpoint.objects.filter(pk=endpoint_id, failures_in_row__gt=0).update(
        failures_in_row=0, rests_until=None
    )


def take_trial(*, endpoint_id: int) -> bool:
    """Return True for the one request that may try an endpoint whose rest is over.

    Whoever gets it moves the end of the rest on, so that all others wait for its outcome.
    """
    now = timezone.now()
    wait = timedelta(seconds=inference_settings().endpoint_rest_s)
    return bool(
        Endpoint.objects.filter(pk=endpoint_id, rests_until__lte=now).update(rests_until=now + wait)
    )


async def in_database(call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Return what a call to the database returns, from a thread that keeps no dead connection."""

    def run() -> T:
        close_old_connections()
        try:
            return call(*args, **kwargs)
        finally:
            close_old_connections()

    return await sync_to_async(run)()


async def note(code: str | None, *, endpoint_id: int) -> None:
    """Note how a request ended; a database that does not answer is no reason to fail one.

    Args:
        code: of the failure; None where it worked.
        endpoint_id: who was asked; 0 keeps no record.
    """
    if not endpoint_id or code in BLAMELESS:
        return
    try:
        if code is None:
            await in_database(note_success, endpoint_id=endpoint_id)
        else:
            await in_database(note_failure, endpoint_id=endpoint_id, code=code)
    except (DatabaseError, Endpoint.DoesNotExist) as error:
        logger.warning("the health of an endpoint was not noted: %s", error)
