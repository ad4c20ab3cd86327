"""What holds for every address of the API, the ones of tomorrow too."""

import re
from collections.abc import Iterator

import pytest
from django.urls import URLPattern, URLResolver, get_resolver

from inference.api.base import ApiView
from inference.keys import SCOPES
from tests.inference.api.conftest import question
from tests.inference.api.keyed import keyed

OPEN = {"health/live", "health/ready", "metrics", "api/schema/", "api/docs/", "api/leaderboard/"}
API_SHAPED = re.compile(r"^\^?(?:\(\?:api/\)\?)?(?:api/|v1|tokenize|detokenize|generate)")
METHODS = ("get", "post", "put", "patch", "delete", "options")


def routes(resolver: URLResolver | None = None, prefix: str = "") -> Iterator[tuple[str, type]]:
    """Yield every address of the site with the class of its view."""
    for entry in (resolver or get_resolver()).url_patterns:
        route = prefix + str(entry.pattern)
        if isinstance(entry, URLPattern):
            callback = entry.callback
            yield route, getattr(callback, "view_class", getattr(callback, "cls", type(callback)))
        elif not route.startswith("admin/"):
            yield from routes(entry, route)


API_ROUTES = {route: view for route, view in routes() if issubclass(view, ApiView)}


def path_of(route: str) -> str:
    """Return an address that a route takes."""
    if route.startswith("^"):
        return "/v1/nothing"
    return "/" + re.sub(r"<[^>]+>", "parrot", route)


def test_the_routes_are_found():
    assert {"v1/models", "v1/chat/completions", "v1/embeddings"} <= API_ROUTES.keys()


def test_whatever_looks_like_the_api_asks_for_keys():
    shaped = {route for route, _ in routes() if API_SHAPED.match(route)}

    assert shaped - API_ROUTES.keys() - OPEN == set()


@pytest.mark.parametrize(("route", "view"), API_ROUTES.items())
def test_every_view_names_its_scope(route, view):
    assert view.scope is None or view.scope in SCOPES


@pytest.mark.parametrize("route", API_ROUTES)
async def test_no_address_answers_without_a_key_where_one_is_required(
    api, models, inference_setting, route
):
    inference_setting(api_requires_key=True)

    for method in METHODS:
        ask = getattr(api, method)
        body = {"data": question(), "content_type": "application/json"} if method == "post" else {}
        response = await ask(path_of(route), **body)
        assert response.status_code == 401, method
        assert response.headers["x-request-id"], method
    assert models.requests == []


@pytest.mark.parametrize(("route", "view"), API_ROUTES.items())
async def test_a_key_of_another_scope_opens_nothing(api, models, route, view):
    if view.scope is None:
        pytest.skip("nothing is here to be opened")
    other = next(scope for scope in SCOPES if scope != view.scope)
    headers = await keyed(scopes=(other,))

    response = await api.post(
        path_of(route), data=question(), content_type="application/json", headers=headers
    )

    assert response.status_code == 403
    assert response.headers["x-request-id"]
    assert models.requests == []
