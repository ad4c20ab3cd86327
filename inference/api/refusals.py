"""What a key is refused, beside what DRF has words for."""

from http import HTTPStatus

from rest_framework.exceptions import APIException, PermissionDenied, Throttled


class ScopeMissing(PermissionDenied):
    """The key opens other parts of the API."""

    default_code = "insufficient_permissions"

    def __init__(self, scope: str) -> None:
        super().__init__(f"this API key does not have the scope {scope or 'of this address'!r}")


class ModelNotAllowed(PermissionDenied):
    """The key may use other models."""

    default_code = "model_not_allowed"

    def __init__(self, model: str) -> None:
        super().__init__(f"this API key may not use the model {model!r}")


class TokenRateExceeded(Throttled):
    """The key has used its tokens of this minute."""


class QuotaExceeded(APIException):
    """The key has used its budget."""

    status_code = HTTPStatus.TOO_MANY_REQUESTS
    default_code = "insufficient_quota"
    default_detail = "this API key has used its budget of tokens"
