"""Counting what one caller does in a minute: acts, or tokens."""

import hashlib
import ipaddress
import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.core.cache import cache

logger = logging.getLogger(__name__)

WINDOW_S = 60
IPV6_HOME_BITS = 64
UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Allowance:
    """What a caller may still do: `remaining` of `limit`, all of it again in `reset_s` seconds."""

    limit: int
    remaining: int
    reset_s: int
    is_exceeded: bool = False


def spend_one(*, scope: str, caller: str, limit: int) -> Allowance:
    """Count one act of a caller in this minute; see `spend`."""
    return spend(1, scope=scope, caller=caller, limit=limit)


def spend(amount: int, *, scope: str, caller: str, limit: int) -> Allowance:
    """Count what a caller uses in this minute.

    The counter lives in the cache, so all processes share it where the cache is Redis. If the
    cache does not answer the act is allowed: a limit is no reason to close the house.

    Args:
        amount: what is used, in acts or tokens; 0 tells where the caller stands.
        scope: what is counted, such as "api".
        caller: who acts; stored as a hash.
        limit: most of it in a minute, at least 1.
    """
    now = time.time()
    window = int(now // WINDOW_S)
    reset_s = max(1, int((window + 1) * WINDOW_S - now))
    digest = hashlib.sha256(caller.encode()).hexdigest()[:32]
    name = f"rate:{scope}:{digest}:{window}"
    try:
        cache.add(name, 0, timeout=2 * WINDOW_S)
        count = cache.incr(name, amount)
    except Exception as error:  # each cache backend has errors of its own
        logger.warning("cannot count %s: %s", scope, type(error).__name__)
        count = amount
    return Allowance(limit, max(0, limit - count), reset_s, is_exceeded=count > limit)


def caller_address(meta: Mapping[str, Any], *, trusted_proxy_count: int) -> str:
    """Return the address of the caller, or "unknown" where there is none, as on a Unix socket.

    `X-Forwarded-For` is believed only as far as our own proxies wrote it, counted from its right
    end; with no trusted proxy it is not looked at, since anybody can send it.

    Args:
        meta: the request's `META`.
        trusted_proxy_count: how many proxies of ours stand in front.
    """
    address = str(meta.get("REMOTE_ADDR") or "")
    hops = [hop.strip() for hop in str(meta.get("HTTP_X_FORWARDED_FOR", "")).split(",") if hop]
    if 0 < trusted_proxy_count <= len(hops):
        address = hops[-trusted_proxy_count]
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return UNKNOWN
    if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped:
        return str(parsed.ipv4_mapped)
    return str(parsed)


def home_of(address: str) -> str:
    """Return what one caller owns of the address space: an IPv4 address, the /64 of an IPv6 one."""
    if ":" not in address:
        return address
    return str(ipaddress.ip_network((address, IPV6_HOME_BITS), strict=False))
