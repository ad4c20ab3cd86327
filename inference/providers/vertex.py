"""Google's Vertex AI: Gemini and Claude in a project of Google Cloud.

    → POST {url}/v1/projects/{project}/locations/{location}/publishers/google/models/{model}
           :streamGenerateContent?alt=sse     as in `gemini`
    → POST …/publishers/anthropic/models/{model}:streamRawPredict
           as in `anthropic`, with the version in the body and the model in the address

Source:
    https://cloud.google.com/vertex-ai/generative-ai/docs/model-reference/inference,
    https://platform.claude.com/docs/en/build-with-claude/claude-on-vertex-ai.
"""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, ClassVar
from urllib.parse import quote, urlsplit

from inference.generation import GenerationRequest
from inference.providers.anthropic import Anthropic, message_body
from inference.providers.dialect import Check, is_text, joined, json_request
from inference.providers.gemini import Gemini, method_of
from inference.providers.google_tokens import check_google_auth, google_token
from inference.providers.server import Server
from inference.providers.wire.client import WireRequest

EVERYWHERE = "https://aiplatform.googleapis.com"
CLAUDE_VERSION = "vertex-2023-10-16"
REQUIRED = frozenset({"project"})
LOCATION = re.compile(r"[a-z][a-z0-9-]{1,39}")
GEOGRAPHIES = frozenset({"us", "eu"})


def is_location(value: Any) -> bool:
    """Tell whether an option is the name of a location; it becomes part of a host's name."""
    return isinstance(value, str) and LOCATION.fullmatch(value) is not None


def host_of(location: str) -> str:
    """Return the address of Vertex AI everywhere, in a geography, or in a region."""
    host = urlsplit(EVERYWHERE).netloc
    if location == "global":
        return EVERYWHERE
    if location in GEOGRAPHIES:
        return f"https://{host.replace('.', f'.{location}.rep.', 1)}"
    return f"https://{location}-{host}"


class VertexGemini(Gemini):
    """Gemini in a project: options `project` and `location` ("global" where it is not set).

    The key is the path of a service account's key file, or an access token; without one the
    default credentials of the machine are used.
    """

    default_url: ClassVar[str] = EVERYWHERE
    needs_key: ClassVar[bool] = False
    options: ClassVar[Mapping[str, Check]] = MappingProxyType(
        {**Gemini.options, "project": is_text, "location": is_location}
    )
    required_options: ClassVar[frozenset[str]] = REQUIRED

    def check(self, server: Server) -> None:
        """Return if endpoints can look like this here; see `Dialect.check`."""
        super().check(server)
        check_google_auth()

    def address(self, server: Server) -> str:
        """Return where the model is asked."""
        return model_address(server, publisher="google", method=method_of(server))

    async def headers(self, server: Server) -> dict[str, str]:
        """Return the headers that say who asks."""
        return {"Authorization": f"Bearer {await google_token(server.key())}"}


class VertexAnthropic(Anthropic):
    """Claude in a project: options as for `VertexGemini`."""

    default_url: ClassVar[str] = EVERYWHERE
    needs_key: ClassVar[bool] = False
    options: ClassVar[Mapping[str, Check]] = MappingProxyType(
        {"project": is_text, "location": is_location, "version": is_text}
    )
    required_options: ClassVar[frozenset[str]] = REQUIRED

    def check(self, server: Server) -> None:
        """Return if endpoints can look like this here; see `Dialect.check`."""
        super().check(server)
        check_google_auth()

    async def prepare(self, server: Server, request: GenerationRequest) -> WireRequest:
        """Return the request; see `Dialect.prepare`."""
        body = {
            "anthropic_version": server.options.get("version", CLAUDE_VERSION),
            **message_body(server, request, takes=self.takes),
        }
        url = model_address(server, publisher="anthropic", method="streamRawPredict")
        headers = {"Authorization": f"Bearer {await google_token(server.key())}"}
        return json_request(url, body, headers, server=server)


def model_address(server: Server, *, publisher: str, method: str) -> str:
    """Return where a model of a publisher is asked, in the endpoint's project and location.

    Where the endpoint names no address of its own, the location does.
    """
    location = str(server.options.get("location", "global"))
    base = host_of(location) if server.url.rstrip("/") == EVERYWHERE else server.url
    place = f"projects/{quote(server.options['project'], safe='')}/locations/{quote(location)}"
    name = quote(server.name_there.rpartition("/")[2], safe="@")
    return joined(base, f"v1/{place}/publishers/{publisher}/models/{name}:{method}")
