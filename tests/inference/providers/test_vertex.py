"""Gemini and Claude in a project of Google Cloud."""

import sys

import pytest

from inference.exceptions import InvalidRequestError
from inference.providers import google_tokens
from inference.providers.dialects import dialect_named
from inference.providers.vertex import model_address
from tests.inference.providers import test_anthropic, test_gemini
from tests.support.google_accounts import token_server
from tests.support.wire_server import Canned, a_server, ask

OPTIONS = {"project": "example-project", "location": "europe-west4"}
PLACE = "/v1/projects/example-project/locations/europe-west4/publishers"


class TestVertexGemini(test_gemini.TestGemini):
    """All of Gemini's promises hold, with an access token instead of a key."""

    dialect = "vertex"
    options = OPTIONS
    key_header = ("authorization", "Bearer {}")

    async def test_a_request_is_what_the_page_shows(self, wire, server):
        wire.answer(self.canned(self.answer_bytes()))

        await ask(server)

        path = f"{PLACE}/google/models/there:streamGenerateContent?alt=sse"
        assert wire.heard[0].path == path


class TestVertexAnthropic(test_anthropic.TestAnthropic):
    """All of Claude's promises hold; the model stands in the address, the version in the body."""

    dialect = "anthropic_vertex"
    options = OPTIONS
    key_header = ("authorization", "Bearer {}")

    async def test_a_request_is_what_the_page_shows(self, wire, server):
        wire.answer(self.canned(self.answer_bytes()))

        await ask(server)

        heard = wire.heard[0]
        assert heard.path == f"{PLACE}/anthropic/models/there:streamRawPredict"
        assert heard.json["anthropic_version"] == "vertex-2023-10-16"
        assert heard.json["stream"] is True
        assert "model" not in heard.json


@pytest.mark.parametrize("dialect", ["vertex", "anthropic_vertex"])
async def test_a_service_account_asks_with_a_token_of_its_own(wire, dialect, tmp_path, monkeypatch):
    wire.answer(Canned((b"",)))
    monkeypatch.setattr(google_tokens, "_credentials", {})
    with token_server(tmp_path) as google:
        monkeypatch.setenv("GOOGLE_KEY_FILE", google.key_file)
        server = a_server(dialect, wire.url, key_variable="GOOGLE_KEY_FILE", options=OPTIONS)

        with pytest.raises(Exception, match="broke off"):
            await ask(server)

    assert wire.heard[0].headers["authorization"] == "Bearer token-1"


@pytest.mark.parametrize(
    ("location", "host"),
    [
        ({}, "aiplatform.googleapis.com"),
        ({"location": "global"}, "aiplatform.googleapis.com"),
        ({"location": "us-east5"}, "us-east5-aiplatform.googleapis.com"),
        ({"location": "eu"}, "aiplatform.eu.rep.googleapis.com"),
    ],
)
def test_the_location_decides_which_host_is_asked(location, host):
    url = dialect_named("vertex").default_url
    server = a_server("vertex", url, name_there="g", options={"project": "p", **location})

    address = model_address(server, publisher="google", method="generateContent")

    place = location.get("location", "global")
    path = f"v1/projects/p/locations/{place}/publishers/google/models/g:generateContent"
    assert address == f"https://{host}/{path}"


@pytest.mark.parametrize("dialect", ["vertex", "anthropic_vertex"])
def test_an_endpoint_is_refused_where_the_package_is_missing(dialect, monkeypatch):
    monkeypatch.setitem(sys.modules, "google.auth", None)
    server = a_server(dialect, "https://example.org", options=OPTIONS)

    with pytest.raises(InvalidRequestError, match=r"pip install 'fastchat-site\[vertex\]'"):
        dialect_named(dialect).check(server)


@pytest.mark.parametrize("location", ["evil.example/#", "US", "", "-a", 7])
def test_a_location_is_a_name_and_no_address(location):
    server = a_server("vertex", "https://example.org", options={**OPTIONS, "location": location})

    with pytest.raises(InvalidRequestError, match="location"):
        dialect_named("vertex").check(server)


def test_a_project_is_needed():
    server = a_server("vertex", "https://example.org", options={"location": "global"})

    with pytest.raises(InvalidRequestError, match="project"):
        dialect_named("vertex").check(server)
