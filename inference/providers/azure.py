"""OpenAI's models on Azure: the deployment is in the address, the key in a header of its own.

Source:
    https://learn.microsoft.com/azure/ai-services/openai/reference
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, ClassVar
from urllib.parse import quote, urlencode

from inference.generation import GenerationRequest
from inference.providers.dialect import Check, is_text, joined
from inference.providers.openai import OpenAI, OpenAIDialect
from inference.providers.server import Server

DEFAULT_VERSION = "2024-10-21"


class Azure(OpenAI):
    """Azure; the endpoint's name over there is the deployment.

    Options: `api_version`; `model`, the model behind a deployment whose name does not tell whether
    it reasons.
    """

    default_url: ClassVar[str] = ""
    options: ClassVar[Mapping[str, Check]] = MappingProxyType(
        {**OpenAIDialect.options, "api_version": is_text, "model": is_text}
    )

    def address(self, server: Server) -> str:
        """Return where the deployment's chat completions are."""
        deployment = quote(server.name_there, safe="")
        path = f"openai/deployments/{deployment}/chat/completions"
        version = server.options.get("api_version", DEFAULT_VERSION)
        return f"{joined(server.url, path)}?{urlencode({'api-version': version})}"

    def headers(self, server: Server) -> dict[str, str]:
        """Return the key as Azure wants it."""
        return {"api-key": server.key()}

    def body(self, server: Server, request: GenerationRequest) -> dict[str, Any]:
        """Return the request in the words of the model behind the deployment."""
        return self.body_for(str(server.options.get("model", server.name_there)), server, request)
