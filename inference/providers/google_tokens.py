"""Access tokens for Google Cloud: of a service account, or of the machine we run on."""

import asyncio
import threading
from functools import partial
from hashlib import sha256
from typing import Any

from inference.exceptions import ProviderError
from inference.providers.packages import how_to_install, need_package

SCOPES = ("https://www.googleapis.com/auth/cloud-platform",)
REFRESH_TIMEOUT_S = 15.0
KNOWN_CREDENTIALS = 64

_lock = threading.Lock()
_credentials: dict[str, Any] = {}  # google-auth's classes are typed in part


async def google_token(key: str) -> str:
    """Return an access token that is valid for some minutes at least.

    Tokens are kept until shortly before they expire. The first call, and one an hour, asks
    Google in a thread.

    Args:
        key: the path of the JSON file with a service account's key; "" takes the application
            default credentials (`GOOGLE_APPLICATION_CREDENTIALS`, gcloud's, the machine's own);
            what is no such path is a token already and is returned as it is.

    Raises:
        ProviderError: google-auth is not installed, there are no credentials, or Google refuses
            them; the message quotes nothing of the key.

    Source:
        https://google.aip.dev/auth/4110, "Application Default Credentials".
    """
    if key and not key.endswith(".json"):
        return key
    return await asyncio.to_thread(_fresh_token, key)


def check_google_auth() -> None:
    """Return if tokens can be asked for at all.

    Raises:
        InvalidRequestError: google-auth is not installed.
    """
    need_package("google.auth", purpose="Vertex AI", package="google-auth", extra="vertex")


def _fresh_token(key: str) -> str:
    try:
        from google.auth.exceptions import GoogleAuthError
        from google.auth.transport.requests import Request
    except ImportError as error:
        raise ProviderError(
            "provider_setup",
            how_to_install(purpose="Vertex AI", package="google-auth", extra="vertex"),
            detail=str(error),
        ) from error
    with _lock:
        try:
            credentials = _known_credentials(key)
            if not credentials.valid:
                credentials.refresh(partial(Request(), timeout=REFRESH_TIMEOUT_S))
        except GoogleAuthError as error:
            raise ProviderError(
                "provider_key_rejected",
                "Google gave no access token; the operator should look at the credentials",
                detail=type(error).__name__,
            ) from error
        return str(credentials.token)


def _known_credentials(key: str) -> Any:
    """Return the credentials a key stands for; the same ones for the same key."""
    name = sha256(key.encode()).hexdigest()
    if name not in _credentials:
        if len(_credentials) >= KNOWN_CREDENTIALS:  # keys were rotated many times
            _credentials.clear()
        _credentials[name] = _load_credentials(key)
    return _credentials[name]


def _load_credentials(key: str) -> Any:
    import google.auth
    from google.oauth2 import service_account

    if not key:
        credentials, _ = google.auth.default(scopes=SCOPES)
        return credentials
    accounts: Any = service_account.Credentials
    try:
        return accounts.from_service_account_file(key, scopes=SCOPES)
    except (OSError, ValueError) as error:  # no file, no JSON, or a key that lacks something
        raise ProviderError(
            "provider_setup",
            "the file for Vertex AI cannot be read, or holds no key of a service account",
            detail=type(error).__name__,
        ) from None
