"""Bodies: bounded JSON objects in, and no haggling about what comes out."""

import json
from collections.abc import Mapping
from typing import IO, Any, NoReturn

from django.core.exceptions import RequestDataTooBig
from rest_framework.exceptions import ParseError
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.parsers import BaseParser
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request

from inference.api.limits import MAX_BODY_BYTES, MAX_JSON_DEPTH

CONTAINERS = frozenset({dict, list})


class JSONObjectParser(BaseParser):
    """Reads `application/json`: an object, UTF-8, without NaN, not too long, not too deep."""

    media_type = "application/json"

    def parse(
        self,
        stream: IO[bytes],
        media_type: str | None = None,  # noqa: ARG002  (DRF's signature)
        parser_context: Mapping[str, Any] | None = None,  # noqa: ARG002  (DRF's signature)
    ) -> dict[str, Any]:
        """Return the object.

        Raises:
            ParseError: the body is something else.
            RequestDataTooBig: it is longer than the limit.
        """
        body = stream.read(MAX_BODY_BYTES + 1)
        if len(body) > MAX_BODY_BYTES:
            raise RequestDataTooBig
        value = decoded(body)
        if not isinstance(value, dict):
            raise ParseError("the body must be a JSON object")
        return value


def decoded(body: bytes) -> Any:
    """Return the JSON value in these bytes.

    Raises:
        ParseError: it is not JSON in UTF-8, holds NaN or Infinity, or is nested too deeply.
    """
    try:
        value = json.loads(body.decode("utf-8"), parse_constant=_refuse_constant)
    except RecursionError:
        raise ParseError(f"the body is nested more than {MAX_JSON_DEPTH} deep") from None
    except ValueError as error:  # bad UTF-8, bad JSON and integers of thousands of digits
        raise ParseError(f"the body is not valid JSON: {str(error)[:200]}") from None
    if _depth_exceeds(value, MAX_JSON_DEPTH):
        raise ParseError(f"the body is nested more than {MAX_JSON_DEPTH} deep")
    return value


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _depth_exceeds(value: Any, limit: int) -> bool:
    level = [value] if type(value) in CONTAINERS else []
    for _ in range(limit):
        level = [
            inner
            for outer in level
            for inner in (outer.values() if type(outer) is dict else outer)
            if type(inner) in CONTAINERS
        ]
        if not level:
            return False
    return True


class NoNegotiation(BaseContentNegotiation):
    """Answers in JSON or events as the request's fields say, whatever its Accept header says."""

    def select_parser(self, request: Request, parsers: Any) -> BaseParser | None:
        """Return the parser for the body's media type; None makes it a 415."""
        media_type = (request.content_type or "").partition(";")[0].strip().lower()
        return next((parser for parser in parsers if parser.media_type == media_type), None)

    def select_renderer(
        self,
        request: Request,  # noqa: ARG002  (DRF's signature)
        renderers: Any,
        format_suffix: str | None = None,  # noqa: ARG002  (DRF's signature)
    ) -> tuple[BaseRenderer, str]:
        """Return the first renderer."""
        return renderers[0], renderers[0].media_type
