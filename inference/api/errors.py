"""One place that turns what went wrong into a status and the error body programs know.

Source: the error object of OpenAI's API reference and how openai-python 3.54 reads it.
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from typing import Any

from django.core.exceptions import RequestDataTooBig
from django.http import JsonResponse
from rest_framework import exceptions as drf

from inference import exceptions as inference
from inference.api import refusals

logger = logging.getLogger(__name__)

RETRY_UNAVAILABLE_S = 5
INVALID = "invalid_request_error"
SERVER = "server_error"


@dataclass(frozen=True, slots=True)
class Problem:
    """What a program is told: a status, a sentence, a type, the field at fault, a stable code."""

    status: HTTPStatus
    message: str
    type: str
    code: str | None = None
    param: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)

    def body(self) -> dict[str, Any]:
        """Return the error object as OpenAI's clients read it."""
        return {
            "error": {
                "message": self.message,
                "type": self.type,
                "param": self.param,
                "code": self.code,
            }
        }

    def about(self, subject: str) -> "Problem":
        """Return the problem with a prompt's length laid to the field that holds the prompt."""
        is_length = self.code == inference.ContextLengthExceededError.code
        return replace(self, param=subject) if is_length else self

    def response(self) -> JsonResponse:
        """Return the answer that carries the problem."""
        return JsonResponse(self.body(), status=self.status, headers=dict(self.headers))


class ApiPathNotFoundError(inference.InferenceError):
    """Nothing answers at this address."""

    def __init__(self, method: str, path: str) -> None:
        super().__init__(f"there is no {method} {path[:200]}")


def problem_of(error: Exception) -> Problem:
    """Return what to tell a program about an exception; an unforeseen one is logged, not told."""
    for kind, tell in TELLERS.items():
        if isinstance(error, kind):
            return tell(error)
    logger.error("unforeseen error in the API", exc_info=error)
    return Problem(
        HTTPStatus.INTERNAL_SERVER_ERROR, "something broke here", SERVER, code="internal_error"
    )


# How an answer that a worker could not begin or finish is told; other codes are our fault, 500.
FAILURE_STATUS: dict[str, HTTPStatus] = {
    "invalid_request": HTTPStatus.BAD_REQUEST,
    "context_length_exceeded": HTTPStatus.BAD_REQUEST,
    "grammar_error": HTTPStatus.BAD_REQUEST,
    "queue_full": HTTPStatus.TOO_MANY_REQUESTS,
    "cancelled": HTTPStatus.SERVICE_UNAVAILABLE,
    "no_worker": HTTPStatus.SERVICE_UNAVAILABLE,
    "worker_lost": HTTPStatus.SERVICE_UNAVAILABLE,
    "worker_shutdown": HTTPStatus.SERVICE_UNAVAILABLE,
    "bus_unavailable": HTTPStatus.SERVICE_UNAVAILABLE,
    "request_expired": HTTPStatus.SERVICE_UNAVAILABLE,
    "content_filtered": HTTPStatus.BAD_REQUEST,
    "provider_rate_limited": HTTPStatus.TOO_MANY_REQUESTS,
    "provider_unavailable": HTTPStatus.SERVICE_UNAVAILABLE,
    "provider_timeout": HTTPStatus.GATEWAY_TIMEOUT,
    "provider_silent": HTTPStatus.GATEWAY_TIMEOUT,
    "provider_cut_off": HTTPStatus.BAD_GATEWAY,
    "provider_protocol": HTTPStatus.BAD_GATEWAY,
    "provider_key_rejected": HTTPStatus.BAD_GATEWAY,
    "provider_model_not_found": HTTPStatus.BAD_GATEWAY,
    "provider_quota_exceeded": HTTPStatus.BAD_GATEWAY,
    "provider_setup": HTTPStatus.BAD_GATEWAY,
}


def retry_after(seconds: int) -> dict[str, str]:
    """Return the headers that tell when to come back: HTTP's, and the one OpenAI's SDK reads."""
    return {"Retry-After": str(seconds), "retry-after-ms": str(1000 * seconds)}


def _retry_for(status: HTTPStatus) -> dict[str, str]:
    is_passing = status in {HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.TOO_MANY_REQUESTS}
    return retry_after(RETRY_UNAVAILABLE_S) if is_passing else {}


def _invalid_request(error: inference.InvalidRequestError) -> Problem:
    return Problem(HTTPStatus.BAD_REQUEST, str(error), INVALID, error.code, error.param)


def _model_not_found(error: inference.ModelNotFoundError) -> Problem:
    return Problem(HTTPStatus.NOT_FOUND, str(error), INVALID, error.code, "model")


def _unavailable(error: inference.InferenceError) -> Problem:
    status = HTTPStatus.SERVICE_UNAVAILABLE
    return Problem(status, str(error), SERVER, error.code, headers=_retry_for(status))


def _queue_full(error: inference.QueueFullError) -> Problem:
    return Problem(
        HTTPStatus.TOO_MANY_REQUESTS,
        str(error),
        "rate_limit_error",
        error.code,
        headers=retry_after(error.retry_after_s),
    )


def _generation_failed(error: inference.GenerationFailedError) -> Problem:
    status = FAILURE_STATUS.get(error.code, HTTPStatus.INTERNAL_SERVER_ERROR)
    kind = INVALID if status == HTTPStatus.BAD_REQUEST else SERVER
    return Problem(status, str(error), kind, error.code, headers=_retry_for(status))


def _path_not_found(error: ApiPathNotFoundError) -> Problem:
    return Problem(HTTPStatus.NOT_FOUND, str(error), INVALID, "unknown_url")


def _body_too_large(_error: RequestDataTooBig) -> Problem:
    return Problem(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        "the body of the request is too large",
        INVALID,
        "request_too_large",
    )


def _validation(error: drf.ValidationError) -> Problem:
    param, message, code = first_fault(error.get_full_details())
    return Problem(
        HTTPStatus.BAD_REQUEST, f"{param}: {message}" if param else message, INVALID, code, param
    )


def _unauthenticated(error: drf.APIException) -> Problem:
    return Problem(
        HTTPStatus.UNAUTHORIZED,
        str(error.detail),
        INVALID,
        _code_of(error),
        headers={"WWW-Authenticate": "Bearer"},
    )


def _throttled(error: drf.Throttled) -> Problem:
    wait_s = int(error.wait or 1)  # type: ignore[attr-defined]  # the stubs forget it
    what = "tokens" if isinstance(error, refusals.TokenRateExceeded) else "requests"
    return Problem(
        HTTPStatus.TOO_MANY_REQUESTS,
        f"too many {what}; try again in {wait_s} s",
        "rate_limit_error",
        "rate_limit_exceeded",
        headers=retry_after(wait_s),
    )


def _quota_exceeded(error: refusals.QuotaExceeded) -> Problem:
    return Problem(
        HTTPStatus.TOO_MANY_REQUESTS,
        str(error.detail),
        "insufficient_quota",
        _code_of(error),
        headers={"x-should-retry": "false"},
    )


def _model_not_allowed(error: refusals.ModelNotAllowed) -> Problem:
    return Problem(HTTPStatus.FORBIDDEN, str(error.detail), INVALID, _code_of(error), "model")


def _other_drf(error: drf.APIException) -> Problem:
    return Problem(HTTPStatus(error.status_code), str(error.detail), INVALID, _code_of(error))


def _code_of(error: drf.APIException) -> str:
    codes = error.get_codes()
    return codes if isinstance(codes, str) else "invalid_request"


def first_fault(details: Any, path: str = "") -> tuple[str | None, str, str]:
    """Return the first fault in DRF's nested details: field path, sentence and code.

    The path is written as OpenAI does: `messages[1].content`.
    """
    if isinstance(details, dict) and isinstance(details.get("message"), str):
        return path or None, str(details["message"]), str(details["code"])
    if isinstance(details, dict):
        key, inner = next(iter(details.items()))
        is_root = key == "non_field_errors"
        return first_fault(inner, path if is_root else _join(path, key))
    position, inner = next((i, entry) for i, entry in enumerate(details) if entry)
    is_leaf = isinstance(inner, dict) and isinstance(inner.get("message"), str)
    return first_fault(inner, path if is_leaf else f"{path}[{position}]")


def _join(path: str, key: Any) -> str:
    if isinstance(key, int):
        return f"{path}[{key}]"
    return f"{path}.{key}" if path else str(key)


# The first kind that fits speaks, so the special stand before the general.
TELLERS: dict[type[Exception], Callable[[Any], Problem]] = {
    inference.InvalidRequestError: _invalid_request,
    inference.ModelNotFoundError: _model_not_found,
    inference.QueueFullError: _queue_full,
    inference.GenerationFailedError: _generation_failed,
    ApiPathNotFoundError: _path_not_found,
    inference.InferenceError: _unavailable,
    RequestDataTooBig: _body_too_large,
    drf.ValidationError: _validation,
    drf.AuthenticationFailed: _unauthenticated,
    drf.NotAuthenticated: _unauthenticated,
    drf.Throttled: _throttled,
    refusals.QuotaExceeded: _quota_exceeded,
    refusals.ModelNotAllowed: _model_not_allowed,
    drf.APIException: _other_drf,
}
