"""LangChain's own tests of chat models pass over `/v1/responses` too."""

from typing import Any

from tests.conformance.test_langchain import ChatModelSuite, clients, pytestmark

__all__ = ["TestResponses", "clients", "pytestmark"]


class TestResponses(ChatModelSuite):
    """The suite of chat models, asked by the other way of OpenAI's API."""

    @property
    def chat_model_params(self) -> dict[str, Any]:
        """Whom to ask, and how."""
        return {**super().chat_model_params, "use_responses_api": True}

    @property
    def structured_output_kwargs(self) -> dict[str, Any]:
        """The way of structured answers."""
        return {"method": "json_schema"}
