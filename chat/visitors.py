"""Who is asking: keyed hashes of a session and of a network, never an address."""

import ipaddress
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.contrib.sessions.backends.base import SessionBase
from django.http import HttpRequest
from django.utils.crypto import salted_hmac

from chat.conf import chat_settings

SESSION_ENTRY = "visitor"
HASH_CHARS = 32
UNKNOWN_NETWORK = "unknown"


@dataclass(frozen=True, slots=True)
class Visitor:
    """Somebody with a browser.

    Attributes:
        key: keyed hash of an id that lives in the session and survives a login.
        network: keyed hash of the /24 or /64 the visitor comes from.
        user_id: the account, if the visitor has logged in.
    """

    key: str
    network: str
    user_id: int | None = None


def visitor_of_request(request: HttpRequest) -> Visitor:
    """Return who sent a request; a session without a visitor gets one."""
    address = client_address(
        peer=request.META.get("REMOTE_ADDR", ""),
        forwarded_for=request.META.get("HTTP_X_FORWARDED_FOR", ""),
    )
    return Visitor(
        key=_session_key(request.session),
        network=network_key(address),
        user_id=request.user.pk,
    )


def visitor_of_scope(scope: Mapping[str, Any]) -> Visitor:
    """Return who opened a socket; a session without a visitor gets one (the caller saves it)."""
    headers = dict(scope.get("headers", ()))
    address = client_address(
        peer=(scope.get("client") or ("",))[0],
        forwarded_for=headers.get(b"x-forwarded-for", b"").decode("latin-1"),
    )
    user = scope.get("user")
    return Visitor(
        key=_session_key(scope["session"]),
        network=network_key(address),
        user_id=getattr(user, "pk", None),
    )


def client_address(*, peer: str, forwarded_for: str) -> str:
    """Return the address a request comes from.

    What a client writes into X-Forwarded-For stands to the left of what our proxies append, so
    only the entry of the outermost trusted proxy is believed.
    """
    trusted = chat_settings().trusted_proxy_count
    hops = [hop.strip() for hop in forwarded_for.split(",") if hop.strip()]
    return hops[-trusted] if trusted and len(hops) >= trusted else peer


def network_key(address: str) -> str:
    """Return the keyed hash of the network of an address: /24 for IPv4, /64 for IPv6."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return _keyed_hash("network", UNKNOWN_NETWORK)
    prefix = 24 if parsed.version == 4 else 64
    network = ipaddress.ip_network(f"{parsed}/{prefix}", strict=False)
    return _keyed_hash("network", str(network))


def _session_key(session: SessionBase) -> str:
    """Return the hash of the visitor's id in the session, made on the first call."""
    visitor = session.get(SESSION_ENTRY)
    if not visitor:
        visitor = secrets.token_hex(16)
        session[SESSION_ENTRY] = visitor
    return _keyed_hash("visitor", visitor)


def _keyed_hash(purpose: str, value: str) -> str:
    """Return a hash nobody can rebuild without the site's secret key."""
    return salted_hmac(f"chat.{purpose}", value, algorithm="sha256").hexdigest()[:HASH_CHARS]
