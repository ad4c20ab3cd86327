"""Requests for models that workers hold, where nobody holds them."""

import asyncio

import pytest
from django.db import OperationalError

from inference import selectors
from inference.exceptions import ModelUnavailableError
from inference.generation import GenerationRequest
from inference.messages import Message, Role
from inference.providers.worker import WorkerProvider


def test_without_a_database_a_model_nobody_holds_is_unavailable(monkeypatch: pytest.MonkeyPatch):
    def fail(name: str) -> None:
        raise OperationalError(f"no such table, asked for {name}")

    monkeypatch.setattr(selectors, "model_named", fail)
    request = GenerationRequest("nobody", (Message(Role.USER, "hi"),))

    with pytest.raises(ModelUnavailableError, match="nobody"):
        asyncio.run(WorkerProvider().start(request, inbox="inbox"))
