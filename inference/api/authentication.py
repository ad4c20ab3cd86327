"""Who asks, by `Authorization: Bearer` or `x-api-key`, and what their key may do."""

from collections.abc import Iterable
from typing import Any

from django.contrib.auth.models import AnonymousUser
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed, NotAuthenticated
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.views import APIView

from inference import keys, selectors, services
from inference.api.refusals import ModelNotAllowed, ScopeMissing
from inference.conf import inference_settings
from inference.models import ApiKey


class BearerKeyAuthentication(BaseAuthentication):
    """Knows callers by their key.

    A key that is shaped like ours and opens nothing is always refused. Where no key is required,
    any other word counts as none: clients of OpenAI's API must send one, and "EMPTY" is customary.
    """

    def authenticate(self, request: Request) -> tuple[Any, Any] | None:
        """Return the key's user (or nobody in particular) and the key, None without a key.

        Raises:
            AuthenticationFailed: the key is wrong, revoked or expired.
        """
        text = key_text(request)
        if not text:
            return None
        if keys.prefix_of(text) is None and not inference_settings().api_requires_key:
            return None
        key = selectors.valid_api_key(text)
        if key is None:
            raise AuthenticationFailed("this API key is not valid", code="invalid_api_key")
        services.note_api_key_use(key=key)
        return key.user or AnonymousUser(), key

    def authenticate_header(self, request: Request) -> str:  # noqa: ARG002  (DRF's signature)
        """Name the scheme in a 401."""
        return "Bearer"


def key_text(request: Request) -> str:
    """Return what came as a key; empty where nothing did."""
    scheme, _, text = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer" and text.strip():
        return text.strip()
    return str(request.headers.get("x-api-key", "")).strip()


class KeyWhereRequired(BasePermission):
    """Lets anybody in unless the setting `api_requires_key` asks for a key."""

    def has_permission(self, request: Request, view: APIView) -> bool:  # noqa: ARG002
        """Return True or say what is missing.

        Raises:
            NotAuthenticated: a key is required and none came.
        """
        if request.auth is None and inference_settings().api_requires_key:
            raise NotAuthenticated(
                "send an API key as `Authorization: Bearer KEY`", code="missing_api_key"
            )
        return True


class ScopeOfKey(BasePermission):
    """Keeps a key that has scopes to the views of these scopes."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        """Return True or say which scope is missing.

        Raises:
            ScopeMissing: the key opens other parts of the API.
        """
        # A view that forgot to name its scope stays closed; None says that it has nothing to hide.
        scope: str | None = getattr(view, "scope", "")
        if isinstance(request.auth, ApiKey) and scope is not None and not request.auth.opens(scope):
            raise ScopeMissing(scope)
        return True


def check_models(request: Request, names: Iterable[str]) -> None:
    """Return if the caller's key may use all these models.

    Raises:
        ModelNotAllowed: it may not use one of them, whether there is such a model or not.
    """
    if isinstance(request.auth, ApiKey):
        for name in names:
            if not request.auth.may_use(name):
                raise ModelNotAllowed(name)


class BearerKeyScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """Describes the scheme in the OpenAPI document."""

    target_class = BearerKeyAuthentication
    name = "apiKey"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:  # noqa: ARG002
        """Return the scheme's object."""
        return {"type": "http", "scheme": "bearer"}
