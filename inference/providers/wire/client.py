"""One pooled HTTP client for each event loop."""

import asyncio
import threading
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from http.cookiejar import CookieJar, DefaultCookiePolicy

import httpx2

from inference.exceptions import InvalidRequestError, ProviderError
from inference.providers.wire.faults import fault, fault_of_response
from inference.providers.wire.limits import WireLimits
from inference.providers.wire.response import WireResponse

MOST_CONNECTIONS = 512
KEPT_CONNECTIONS = 64
ERROR_BODY_BYTES = 64_000
USER_AGENT = "fastchat-site"

Refusal = Callable[[int, Mapping[str, str], bytes], ProviderError]
"""What a status that is no success, the headers and the beginning of the body mean."""


@dataclass(frozen=True, slots=True)
class WireRequest:
    """What is sent: headers and body may hold secrets and stay out of `repr`.

    Attributes:
        stop: texts at which the answer is cut here, for servers that show them or know none.
    """

    url: str
    headers: dict[str, str] = field(repr=False)
    content: bytes = field(repr=False)
    method: str = "POST"
    stop: tuple[str, ...] = ()


_lock = threading.Lock()
_clients: dict[asyncio.AbstractEventLoop, httpx2.AsyncClient] = {}


def client_of_loop() -> httpx2.AsyncClient:
    """Return the client of the running loop; it honours the proxies of the environment.

    It follows no redirect, since that would carry keys and prompts to a host nobody configured,
    and it keeps no cookies.
    """
    loop = asyncio.get_running_loop()
    with _lock:
        client = _clients.get(loop)
        if client is None:
            client = _clients[loop] = httpx2.AsyncClient(
                follow_redirects=False,
                timeout=None,  # each wait has its own, see `exchange`
                cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
                limits=httpx2.Limits(
                    max_connections=MOST_CONNECTIONS, max_keepalive_connections=KEPT_CONNECTIONS
                ),
                headers={"User-Agent": USER_AGENT, "Accept-Encoding": "identity"},
            )
        return client


async def close_client_of_loop() -> None:
    """Close the running loop's connections, at its end."""
    with _lock:
        client = _clients.pop(asyncio.get_running_loop(), None)
    if client is not None:
        await client.aclose()


@asynccontextmanager
async def exchange(
    request: WireRequest, limits: WireLimits, *, refusal: Refusal = fault_of_response
) -> AsyncGenerator[WireResponse, None]:
    """Send a request and hand out the answer once its status says that it is one.

    Leaving the context before the end closes the connection, so the server notices.

    Raises:
        ProviderError: no connection, no answer in time, or a status that is not 2xx.
        InvalidRequestError: the request cannot be sent as it is.
    """
    response = await _send(request, limits)
    try:
        if not response.is_success:
            body = await _beginning(WireResponse(response, limits))
            raise refusal(response.status_code, response.headers, body)
        yield WireResponse(response, limits)
    finally:
        await response.aclose()


async def _send(request: WireRequest, limits: WireLimits) -> httpx2.Response:
    client = client_of_loop()
    times = httpx2.Timeout(
        connect=limits.connect_s, write=limits.idle_s, pool=limits.connect_s, read=None
    )
    try:
        ready = client.build_request(
            request.method,
            request.url,
            headers=request.headers,
            content=request.content,
            timeout=times,
        )
        async with asyncio.timeout(limits.first_byte_s):
            return await client.send(ready, stream=True)
    except (httpx2.ConnectTimeout, httpx2.PoolTimeout) as error:
        raise fault("provider_timeout", type(error).__name__) from error
    except TimeoutError:
        raise fault("provider_silent", f"no status in {limits.first_byte_s} s") from None
    except (httpx2.InvalidURL, httpx2.UnsupportedProtocol, httpx2.LocalProtocolError) as error:
        # The cause may quote a header and stays out.
        raise InvalidRequestError(
            f"the endpoint's address or headers cannot be used ({type(error).__name__})"
        ) from None
    except httpx2.TransportError as error:
        raise fault("provider_unavailable", f"{type(error).__name__}: {error}") from error


async def _beginning(response: WireResponse) -> bytes:
    """Return the first bytes of an error's body; one that breaks off counts as far as it came."""
    body = b""
    chunks = response.chunks()
    try:
        async for chunk in chunks:
            body += chunk
            if len(body) >= ERROR_BODY_BYTES:
                break
    except ProviderError:
        pass
    finally:
        await chunks.aclose()
    return body[:ERROR_BODY_BYTES]
