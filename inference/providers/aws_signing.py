"""Signatures (version 4) for requests to Amazon's services, by botocore."""

import asyncio
import threading
from collections.abc import Mapping
from typing import Any

from inference.exceptions import ProviderError
from inference.providers.packages import how_to_install, need_package

SERVICE = "bedrock"
PURPOSE = "Bedrock without an API key"

_lock = threading.Lock()
_sessions: list[Any] = []


async def signed_headers(
    *, url: str, region: str, body: bytes, headers: Mapping[str, str]
) -> dict[str, str]:
    """Return the headers of a POST request with its signature among them.

    The credentials are those botocore finds: environment variables, the shared files of the
    AWS command line, or the role of the machine. It looks for them in a thread.

    Args:
        url: with its path percent-encoded as it will be sent.
        region: such as `us-east-1`.
        body: exactly the bytes that will be sent.
        headers: to be sent and signed.

    Raises:
        ProviderError: botocore is not installed, or finds no credentials.

    Source:
        https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv.html.
    """
    return await asyncio.to_thread(_sign, url, region, body, dict(headers))


def check_botocore() -> None:
    """Return if requests can be signed at all.

    Raises:
        InvalidRequestError: botocore is not installed.
    """
    need_package("botocore", purpose=PURPOSE, package="botocore", extra="bedrock")


def _sign(url: str, region: str, body: bytes, headers: dict[str, str]) -> dict[str, str]:
    try:
        from botocore.auth import SigV4Auth
        from botocore.awsrequest import AWSRequest
        from botocore.exceptions import BotoCoreError
    except ImportError as error:
        raise ProviderError(
            "provider_setup",
            how_to_install(purpose=PURPOSE, package="botocore", extra="bedrock"),
            detail=str(error),
        ) from error
    try:
        credentials = _credentials()
    except BotoCoreError as error:
        raise _no_credentials(type(error).__name__) from error
    request = AWSRequest(method="POST", url=url, data=body, headers=headers)
    SigV4Auth(credentials, SERVICE, region).add_auth(request)
    return {str(name): str(value) for name, value in request.headers.items()}


def _credentials() -> Any:
    """Return the credentials as they are now; botocore renews those that expire."""
    from botocore.session import get_session

    with _lock:
        if not _sessions:
            _sessions.append(get_session())
        credentials = _sessions[0].get_credentials()
    if credentials is None:
        raise _no_credentials("none found")
    return credentials.get_frozen_credentials()


def _no_credentials(detail: str) -> ProviderError:
    return ProviderError(
        "provider_key_rejected",
        "there are no credentials for Amazon Bedrock; the operator should set them up",
        detail=detail,
    )
