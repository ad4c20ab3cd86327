"""An asynchronous DRF view: every check in one hop to a thread, the answer on the event loop.

DRF itself is synchronous; authentication, throttling and validation touch the database and run as
DRF wrote them. What streams must not hold a thread, so the handlers are coroutines.
"""

import secrets
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

from asgiref.sync import sync_to_async
from django.db import connections
from django.http import HttpRequest, HttpResponseBase
from django.utils import translation
from rest_framework.request import Request
from rest_framework.serializers import BaseSerializer
from rest_framework.views import APIView

from inference import selectors
from inference.api.authentication import (
    BearerKeyAuthentication,
    KeyWhereRequired,
    ScopeOfKey,
    check_models,
)
from inference.api.errors import Problem, problem_of
from inference.api.metering import Meter, open_meter
from inference.api.metrics import REQUESTS
from inference.api.parsing import JSONObjectParser, NoNegotiation
from inference.api.throttling import RequestRateThrottle, TokenThrottle, meter_for, rate_headers
from inference.exceptions import ModelNotFoundError


class ApiView(APIView):
    """Base of the API's views: OpenAI's error body and `x-request-id` on every answer.

    A subclass writes `async def get` or `async def post`, each taking the checked request; where
    `serializer_class` is set, the request carries its validated data as `order`.
    """

    authentication_classes = (BearerKeyAuthentication,)
    permission_classes = (KeyWhereRequired, ScopeOfKey)
    throttle_classes = (RequestRateThrottle, TokenThrottle)
    parser_classes = (JSONObjectParser,)
    content_negotiation_class = NoNegotiation
    http_method_names: Sequence[str] = ("get", "head", "post")
    serializer_class: type[BaseSerializer[Any]] | None = None
    scope: str | None = ""
    """The part of the API a key must open, of `keys.SCOPES`; None where any key will do."""
    subject = "messages"
    """The field that holds what a model is to read."""
    _meter: Meter | None = None

    async def dispatch(  # type: ignore[override]  # Django awaits it: all handlers are coroutines
        self, request: HttpRequest, *args: Any, **kwargs: Any
    ) -> HttpResponseBase:
        """Check, answer, and turn whatever went wrong into the API's error body."""
        self.args, self.kwargs = args, kwargs
        self.request = self.initialize_request(request, *args, **kwargs)
        try:
            await sync_to_async(self.admit)(self.request)
            open_meter(self._meter)
            handler = getattr(self, str(request.method).lower())
            response: HttpResponseBase = await handler(self.request, *args, **kwargs)
        except Exception as error:
            response = self.refusal(problem_of(error).about(self.subject))
        if (meter := self._meter) is not None:
            meter.is_failed |= response.status_code >= HTTPStatus.BAD_REQUEST
            await meter.release()
        return self._signed(response)

    def admit(self, request: Request) -> None:
        """Run DRF's checks and leave the validated body on the request as `order`.

        Raises:
            APIException: the caller, the method or the body is refused.
        """
        # Programs match on messages, so they stay English whatever the Accept-Language.
        with translation.override("en"):
            self.initial(request, *self.args, **self.kwargs)
            self._meter = meter_for(request)
            if str(request.method).lower() not in self._handled_methods():
                self.http_method_not_allowed(request)
            if self.serializer_class is not None and request.method == "POST":
                serializer = self.serializer_class(data=self.body_of(request))
                serializer.is_valid(raise_exception=True)
                request.order = serializer.validated_data  # type: ignore[attr-defined]
            self.check_order(request)
        if hasattr(request, "order"):
            # An answer may take minutes; it keeps no database connection meanwhile.
            connections.close_all()

    def refusal(self, problem: Problem) -> HttpResponseBase:
        """Return the answer that carries a problem, in the words of the view's protocol."""
        return problem.response()

    def body_of(self, request: Request) -> Any:
        """Return what the serializer checks."""
        return request.data

    def check_order(self, request: Request) -> None:
        """Check what needs the database, in the thread where it may be asked."""

    def _handled_methods(self) -> set[str]:
        return {method for method in self.http_method_names if hasattr(self, method)}

    def _signed(self, response: HttpResponseBase) -> HttpResponseBase:
        response["x-request-id"] = f"req_{secrets.token_hex(16)}"
        requests = getattr(self.request, "allowance", None)
        tokens = getattr(self.request, "token_allowance", None)
        if self._meter is not None and self._meter.allowance is not None:
            tokens = self._meter.allowance  # with what this answer has cost
        for name, value in rate_headers(requests, tokens).items():
            response[name] = value
        if response.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
            response["Allow"] = ", ".join(self.allowed_methods)
        REQUESTS.labels(type(self).__name__, response.status_code).inc()
        return response


class ModelView(ApiView):
    """Base of the views whose order names a model."""

    def check_order(self, request: Request) -> None:
        """Keep models that are not listed out of reach, as if they did not exist.

        Raises:
            ModelNotAllowed: the caller's key may use other models.
            ModelNotFoundError: the model's card takes it out of the lists.
        """
        order: Any = getattr(request, "order", None)
        if order is None:
            return
        check_models(request, [order.model])
        if selectors.is_hidden(order.model):
            raise ModelNotFoundError(order.model)
