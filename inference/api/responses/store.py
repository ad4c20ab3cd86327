"""Responses that are kept for a while, so that later requests can continue them.

They live in the cache, which all processes share where it is Redis, and in no other place: what
is not asked for in time is gone. Whoever has the key that made a response may read it; a response
made without a key belongs to those who know its id, 128 random bits.
"""

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgpack
from django.core.cache import cache
from rest_framework.exceptions import NotFound
from rest_framework.request import Request

from inference.conf import inference_settings
from inference.messages import Message
from inference.models import ApiKey

logger = logging.getLogger(__name__)

MAX_STORED_BYTES = 1_000_000


class ResponseNotFoundError(NotFound):
    """There is no such response, or no longer, or it belongs to someone else."""

    def __init__(self, response_id: str) -> None:
        super().__init__(
            f"there is no response {response_id[:64]!r}, or no longer", code="response_not_found"
        )


@dataclass(frozen=True, slots=True)
class StoredResponse:
    """A response and what it answers.

    Attributes:
        owner: who made it.
        response: the object as it was told.
        items: the input as it came.
        messages: the whole conversation with the answer at its end, without instructions.
    """

    owner: str
    response: Mapping[str, Any]
    items: Sequence[Mapping[str, Any]]
    messages: tuple[Message, ...]

    def packed(self) -> bytes:
        """Return all of it as bytes."""
        # JSON of a program may hold numbers and texts that msgpack cannot.
        texts = [json.dumps(self.response), json.dumps(self.items)]
        messages = [message.as_dict() for message in self.messages]
        packed: bytes = msgpack.packb([self.owner, *texts, messages])
        return packed

    @classmethod
    def unpacked(cls, packed: bytes) -> "StoredResponse":
        """Read what `packed` wrote."""
        owner, response, items, messages = msgpack.unpackb(packed)
        said = tuple(map(Message.from_dict, messages))
        return cls(owner, json.loads(response), json.loads(items), said)


def owner_of(request: Request) -> str:
    """Return whose the responses of a request are."""
    return f"key {request.auth.pk}" if isinstance(request.auth, ApiKey) else "anybody"


def stored_response(response_id: str, *, owner: str) -> StoredResponse:
    """Return a response that was kept.

    Raises:
        ResponseNotFoundError: there is none, or it is someone else's.
    """
    packed = cache.get(_name(response_id))
    stored = None if packed is None else StoredResponse.unpacked(packed)
    if stored is None or stored.owner != owner:
        raise ResponseNotFoundError(response_id)
    return stored


async def store_response(stored: StoredResponse) -> bool:
    """Keep a response for as long as the settings say; tell whether it is kept.

    One that is too large is not, and none is while the cache is out of reach: the answer is worth
    more than its memory.
    """
    packed = stored.packed()
    if len(packed) > MAX_STORED_BYTES:
        return False
    try:
        seconds = inference_settings().api_response_ttl_s
        await cache.aset(_name(stored.response["id"]), packed, timeout=seconds)
    except Exception as error:  # each cache backend has errors of its own
        logger.warning("cannot keep a response: %s", type(error).__name__)
        return False
    return True


def delete_response(response_id: str, *, owner: str) -> None:
    """Forget a response.

    Raises:
        ResponseNotFoundError: there is none, or it is someone else's.
    """
    stored_response(response_id, owner=owner)
    cache.delete(_name(response_id))


def _name(response_id: str) -> str:
    return f"api-response:{response_id}"
