"""Errors as Anthropic's API tells them.

Source: https://platform.claude.com/docs/en/api/errors
"""

from http import HTTPStatus
from typing import Any

from inference.api.errors import Problem

TYPES = {
    HTTPStatus.UNAUTHORIZED: "authentication_error",
    HTTPStatus.FORBIDDEN: "permission_error",
    HTTPStatus.NOT_FOUND: "not_found_error",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "request_too_large",
    HTTPStatus.TOO_MANY_REQUESTS: "rate_limit_error",
    HTTPStatus.SERVICE_UNAVAILABLE: "overloaded_error",
    HTTPStatus.GATEWAY_TIMEOUT: "timeout_error",
}


def error_body(problem: Problem) -> dict[str, Any]:
    """Return the error object; what a program did wrong otherwise is an invalid request."""
    is_theirs = problem.status < HTTPStatus.INTERNAL_SERVER_ERROR
    kind = TYPES.get(problem.status, "invalid_request_error" if is_theirs else "api_error")
    return {"type": "error", "error": {"type": kind, "message": problem.message}}
