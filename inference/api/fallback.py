"""The rest of `/v1/`: an answer in the API's own words instead of a page."""

from typing import NoReturn

from django.http import HttpResponseBase
from rest_framework.request import Request

from inference.api.base import ApiView
from inference.api.errors import ApiPathNotFoundError


class UnknownPath(ApiView):
    """Says that nothing is here, whatever the method; where a key is needed, first asks for it."""

    schema = None
    scope = None

    def admit(self, request: Request) -> NoReturn:
        """Refuse.

        Raises:
            APIException: the caller is refused already.
            ApiPathNotFoundError: in every other case.
        """
        self.initial(request)
        raise ApiPathNotFoundError(str(request.method), request.path)

    async def get(self, request: Request) -> HttpResponseBase:
        """Only there to make the view asynchronous: `admit` never lets a request get here."""
        raise ApiPathNotFoundError(str(request.method), request.path)
