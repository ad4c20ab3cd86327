"""Endpoints of every other service answer through the site, from their record to a reply."""

from contextlib import ExitStack

import pytest
from asgiref.sync import sync_to_async
from django.conf import settings
from django.core.cache import cache
from django.test import override_settings

from inference import client
from inference.generation import FinishReason, GenerationRequest, Usage
from inference.models import Endpoint
from inference.providers.records import check_endpoint
from inference.services import register_model
from tests.inference.providers.test_odd_answers import CONTRACTS
from tests.support.dialect_contract import QUESTION
from tests.support.dialect_under_test import ANSWER, KEY

pytestmark = pytest.mark.django_db(transaction=True)

SERVICES = [name for name in CONTRACTS if name != "openai"]


@pytest.fixture(autouse=True)
def site(monkeypatch):
    """A site that reads its endpoints anew for every request, with a key for each."""
    monkeypatch.setenv("WIRE_KEY", KEY)
    values = {**settings.INFERENCE, "uses_endpoints": True, "endpoints_reread_s": 0.0}
    with ExitStack() as changes:
        changes.enter_context(override_settings(INFERENCE=values))
        cache.clear()
        yield
        client.close_client()


@sync_to_async
def add_endpoint(dialect, url, options):
    endpoint = Endpoint(
        model=register_model(name=f"far-{dialect}"),
        dialect=dialect,
        url=url,
        remote_name="there",
        key_variable="WIRE_KEY",
        options=options,
    )
    check_endpoint(endpoint)
    endpoint.full_clean()
    endpoint.save()


@pytest.mark.parametrize("dialect", SERVICES)
async def test_a_model_of_another_service_answers_like_any_other(wire, dialect):
    contract = CONTRACTS[dialect]()
    await add_endpoint(dialect, wire.url, contract.options)
    wire.answer(contract.canned(contract.answer_bytes()))

    reply = await client.complete_reply(GenerationRequest(f"far-{dialect}", (QUESTION,)))

    assert f"far-{dialect}" in await client.live_models()
    assert (reply.text, reply.finish_reason) == (ANSWER, FinishReason.STOP)
    assert reply.usage == Usage(11, 7)
    assert contract.messages_of(wire.heard[0]) == [("user", "Say hello.")]
