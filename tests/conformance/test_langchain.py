"""LangChain's own tests of chat and embedding models pass against this API.

Source: https://pypi.org/project/langchain-tests/, `ChatModelIntegrationTests` and
`EmbeddingsIntegrationTests`.
"""

from collections.abc import AsyncIterator
from io import BytesIO
from typing import Any, ClassVar

import httpx
import openai
import pytest
import pytest_asyncio
from langchain_core.embeddings import Embeddings
from langchain_core.language_models import BaseChatModel
from langchain_openai import ChatOpenAI, OpenAIEmbeddings
from langchain_tests.integration_tests import ChatModelIntegrationTests, EmbeddingsIntegrationTests
from PIL import Image

from tests.conformance.conftest import MODEL, OTHER_MODEL
from tests.support.site import Site

pytestmark = [
    pytest.mark.slow,
    pytest.mark.asyncio(loop_scope="module"),  # the client keeps connections of its first loop
    pytest.mark.filterwarnings("default"),
    pytest.mark.filterwarnings("ignore:The test .* is marked:pytest.PytestWarning"),
]


Clients = dict[str, Any]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def clients() -> AsyncIterator[Clients]:
    """Connections that are closed at the end; the client's own would stay open."""
    async with openai.DefaultAsyncHttpxClient() as asynchronous:
        with openai.DefaultHttpxClient() as synchronous:
            yield {"http_client": synchronous, "http_async_client": asynchronous}


class Suite:
    """A suite with our address; its parameters are read when a test builds its client."""

    params: ClassVar[dict[str, Any]] = {}

    @pytest.fixture(autouse=True)
    def _address(self, api_site: Site, api_key: str, clients: Clients) -> None:
        self.params.update(
            clients,
            model=MODEL,
            base_url=f"{api_site.address}/v1",
            api_key=api_key,
            max_retries=0,
        )


def picture(*_args: Any, **_options: Any) -> httpx.Response:
    """Stand in for a picture the suite would fetch."""
    file = BytesIO()
    Image.new("RGB", (8, 8), "red").save(file, "PNG")
    return httpx.Response(200, content=file.getvalue())


class ChatModelSuite(Suite, ChatModelIntegrationTests):
    """The suite of chat models."""

    @property
    def chat_model_class(self) -> type[BaseChatModel]:
        """The client of OpenAI's API."""
        return ChatOpenAI

    @property
    def chat_model_params(self) -> dict[str, Any]:
        """Whom to ask."""
        return {**self.params, "stream_usage": True}

    @property
    def supports_json_mode(self) -> bool:
        """JSON without a schema works too."""
        return True

    @property
    def model_override_value(self) -> str:
        """Another model of the site."""
        return OTHER_MODEL

    @property
    def supports_image_inputs(self) -> bool:
        """Images inside a message are taken."""
        return True

    @pytest.fixture(autouse=True)
    def _pictures(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(httpx, "get", picture)

    @property
    def has_tool_choice(self) -> bool:
        """Calls can be forced."""
        return True


class TestFunctionCalling(ChatModelSuite):
    """Structured answers by calls of functions."""

    @property
    def structured_output_kwargs(self) -> dict[str, Any]:
        """The way."""
        return {"method": "function_calling"}


class TestJsonSchema(ChatModelSuite):
    """Structured answers by a schema of the answer."""

    @property
    def structured_output_kwargs(self) -> dict[str, Any]:
        """The way."""
        return {"method": "json_schema"}


class TestEmbeddings(Suite, EmbeddingsIntegrationTests):
    """Vectors."""

    @property
    def embeddings_class(self) -> type[Embeddings]:
        """The client of OpenAI's API."""
        return OpenAIEmbeddings

    @property
    def embedding_model_params(self) -> dict[str, Any]:
        """Whom to ask."""
        # With the check it downloads OpenAI's tokenizer.
        return {**self.params, "check_embedding_ctx_length": False}
