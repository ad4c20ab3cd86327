"""Models of servers elsewhere answer like any others, and rest when they fail."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import timedelta

import pytest
from asgiref.sync import sync_to_async
from django.conf import settings
from django.core.cache import cache
from django.db import DatabaseError
from django.test import override_settings
from django.utils import timezone

from inference import client, selectors
from inference.exceptions import (
    GenerationFailedError,
    ModelNotFoundError,
    ModelUnavailableError,
    QueueFullError,
)
from inference.generation import FinishReason, GenerationRequest, SamplingParams
from inference.messages import Message, Role
from inference.models import Endpoint, LanguageModel
from inference.providers import endpoints, health
from inference.services import register_model
from tests.support.wire_server import Canned, WireServer, sse

pytestmark = pytest.mark.django_db(transaction=True)

Add = Callable[..., Endpoint]


@pytest.fixture(autouse=True)
def setting() -> Iterator[Callable[..., None]]:
    """Endpoints are used, and read anew for every request; takes more settings."""
    with ExitStack() as changes:

        def change(**values: object) -> None:
            changes.enter_context(override_settings(INFERENCE={**settings.INFERENCE, **values}))

        change(uses_endpoints=True, endpoints_reread_s=0.0, endpoint_tries=1, endpoint_idle_s=5.0)
        cache.clear()
        yield change
        client.close_client()


def text(*pieces: str, **fields: object) -> Canned:
    """Return a chat completion as a stream."""
    chunks = [{"choices": [{"index": 0, "delta": {"content": piece}}]} for piece in pieces]
    end = {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
    return Canned([sse(*chunks, end, ends_with="[DONE]")], **fields)


BROKEN = Canned.of_json({"error": "broken"}, status=500)


def add_endpoint(url: str, name: str = "far", **values: object) -> Endpoint:
    values = {"dialect": "openai_compatible", "remote_name": "there", **values}
    return Endpoint.objects.create(model=register_model(name=name), url=url, **values)


add = sync_to_async(add_endpoint)


def a_request(name: str = "far") -> GenerationRequest:
    return GenerationRequest(name, (Message(Role.USER, "Hi"),), SamplingParams())


async def state_of(endpoint: Endpoint) -> Endpoint:
    await endpoint.arefresh_from_db()
    return endpoint


async def test_a_model_elsewhere_answers_like_any_other(wire: WireServer) -> None:
    await add(wire.url)
    wire.answer(text("Good ", "day"))

    reply = await client.complete_reply(a_request())

    assert "far" in await client.live_models()
    assert (reply.text, reply.finish_reason) == ("Good day", FinishReason.STOP)
    assert reply.usage.completion_tokens == 2


async def test_a_disabled_endpoint_or_one_without_its_key_is_not_live(wire: WireServer) -> None:
    await add(wire.url, is_enabled=False)
    await add(wire.url, "keyless", key_variable="NOT_SET_ANYWHERE")

    live = await client.live_models()

    assert not {"far", "keyless"} & live
    with pytest.raises(ModelUnavailableError):
        await client.complete_reply(a_request("keyless"))
    with pytest.raises(ModelNotFoundError):
        await client.complete_reply(a_request("nobody"))


async def test_endpoints_can_be_switched_off_altogether(wire: WireServer, setting) -> None:
    await add(wire.url)
    setting(uses_endpoints=False)

    assert "far" not in await client.live_models()


async def test_a_change_is_seen_without_a_restart(wire: WireServer) -> None:
    endpoint = await add(wire.url)
    before = await client.live_models()

    endpoint.is_enabled = False
    await endpoint.asave()

    assert "far" in before
    assert "far" not in await client.live_models()


async def test_a_database_that_does_not_answer_leaves_the_list_as_it_was(
    wire: WireServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    await add(wire.url)
    before = await client.live_models()

    def fail() -> None:
        raise DatabaseError("gone")

    monkeypatch.setattr(endpoints, "_read", fail)

    assert await client.live_models() == before


async def test_what_went_wrong_reaches_the_reader(wire: WireServer) -> None:
    await add(wire.url)
    wire.answer(Canned.of_json({"error": "maximum context length is 9"}, status=400))

    with pytest.raises(GenerationFailedError) as caught:
        await client.complete_reply(a_request())

    assert caught.value.code == "context_length_exceeded"


async def test_the_next_endpoint_answers_where_one_fails(wire: WireServer) -> None:
    away = await add("http://127.0.0.1:1/v1")
    await add(wire.url)
    wire.answer(text("Here I am"))

    replies = [await client.complete_reply(a_request()) for _ in range(2)]

    assert [reply.text for reply in replies] == ["Here I am"] * 2
    assert (await state_of(away)).last_failure == "provider_unavailable"


async def test_nothing_is_asked_twice_once_an_answer_has_begun(wire: WireServer) -> None:
    await add(wire.url)
    await add(f"{wire.url}/second")
    wire.answer(Canned([sse({"choices": [{"delta": {"content": "a"}}]})]))

    with pytest.raises(GenerationFailedError) as caught:
        await client.complete_reply(a_request())

    assert caught.value.code == "provider_cut_off"
    assert len(wire.heard) == 1


async def test_an_endpoint_that_fails_too_often_rests_and_one_request_tries_it_again(
    wire: WireServer, setting
) -> None:
    setting(endpoint_failures_allowed=2, endpoint_rest_s=60.0)
    endpoint = await add(wire.url)
    wire.answer(BROKEN)
    for _ in range(2):
        with pytest.raises(GenerationFailedError):
            await client.complete_reply(a_request())

    resting = await state_of(endpoint)
    with pytest.raises(ModelUnavailableError):
        await client.complete_reply(a_request())

    assert (resting.failures_in_row, resting.last_failure) == (2, "provider_unavailable")
    assert resting.rests_until > timezone.now()
    assert "far" not in await client.live_models()
    assert len(wire.heard) == 2

    endpoint.rests_until = timezone.now() - timedelta(seconds=1)
    await endpoint.asave()
    wire.answer(text("Back again"))
    reply = await client.complete_reply(a_request())

    healthy = await state_of(endpoint)
    assert reply.text == "Back again"
    assert (healthy.failures_in_row, healthy.rests_until) == (0, None)


async def test_only_one_request_tries_an_endpoint_whose_rest_is_over(wire: WireServer) -> None:
    over = timezone.now() - timedelta(seconds=1)
    endpoint = await add(wire.url, failures_in_row=9, rests_until=over)
    take = sync_to_async(health.take_trial)

    trials = [await take(endpoint_id=endpoint.pk) for _ in range(3)]

    assert trials == [True, False, False]


async def test_rests_grow_and_have_an_end(setting) -> None:
    setting(endpoint_failures_allowed=3, endpoint_rest_s=15.0)

    rests = [health.rest_after(failures).total_seconds() for failures in (2, 3, 4, 5, 1000)]

    assert rests == [0, 15, 30, 60, 600]


@pytest.mark.parametrize("status", [400, 429])
async def test_a_bad_request_is_not_the_endpoints_fault(wire: WireServer, status: int) -> None:
    endpoint = await add(wire.url)
    wire.answer(Canned.of_json({}, status=status))

    with pytest.raises(GenerationFailedError):
        await client.complete_reply(a_request())

    assert (await state_of(endpoint)).failures_in_row == 0


async def test_slots_are_counted(wire: WireServer) -> None:
    await add(wire.url, slots=1)
    wire.answer(Canned(hangs=True))
    await client.start(a_request())

    with pytest.raises(QueueFullError):
        await client.start(a_request())


async def test_requests_a_minute_are_counted_by_endpoint(wire: WireServer) -> None:
    await add(wire.url, requests_per_minute=1)
    await add(f"{wire.url}/second", requests_per_minute=1)
    wire.answer(text("Yes"))
    for _ in range(2):
        await client.complete_reply(a_request())

    with pytest.raises(QueueFullError) as caught:
        await client.complete_reply(a_request())

    assert 1 <= caught.value.retry_after_s <= 60
    assert sorted(heard.path for heard in wire.heard) == [
        "/chat/completions",
        "/second/chat/completions",
    ]


async def test_health_is_known_at_once_where_it_changes(wire: WireServer, setting) -> None:
    setting(endpoints_reread_s=3600.0, endpoint_failures_allowed=1, endpoint_rest_s=60.0)
    endpoint = await add(wire.url)
    wire.answer(BROKEN)

    with pytest.raises(GenerationFailedError):
        await client.complete_reply(a_request())
    resting = await client.live_models()
    await Endpoint.objects.aupdate(rests_until=timezone.now() - timedelta(seconds=1))
    endpoints.reread_endpoints()
    wire.answer(text("Back"))
    await client.complete_reply(a_request())
    reply = await client.complete_reply(a_request())

    assert "far" not in resting
    assert reply.text == "Back"
    assert (await state_of(endpoint)).failures_in_row == 0


async def test_a_substitute_keeps_to_its_own_limit(wire: WireServer) -> None:
    await add("http://127.0.0.1:1/v1")
    await add("http://127.0.0.1:1/v2")
    await add(wire.url, requests_per_minute=1)
    wire.answer(text("Yes"))
    asked = [client.complete_reply(a_request()) for _ in range(2)]

    first = await asked[0]
    with pytest.raises(GenerationFailedError) as caught:
        await asked[1]

    assert first.text == "Yes"
    assert caught.value.code == "provider_unavailable"
    assert len(wire.heard) == 1


async def test_a_cancelled_answer_closes_the_connection(wire: WireServer) -> None:
    await add(wire.url)
    wire.answer(Canned([sse({"choices": [{"delta": {"content": "a"}}]})], hangs=True))
    request = a_request()

    async for delta in client.stream_reply(request):
        if delta.pieces:
            await client.cancel(request.request_id)

    await wire.left.wait()


async def test_every_request_ends_whatever_the_server_does(wire: WireServer, setting) -> None:
    setting(endpoint_failures_allowed=10_000, endpoint_idle_s=0.5, endpoint_tries=2)
    await add(wire.url, slots=100)
    half = sse({"choices": [{"delta": {"content": "a"}}]})
    kinds = [
        text("Good ", "day"),
        BROKEN,
        Canned([half], is_cut=True),
        Canned([half], hangs=True),
        Canned([half, b"data: {\n\n"]),
        Canned([half, b"\xff\xff\n"]),
        Canned(status=302, headers={"Location": "/"}),
        Canned([b"<html>"], media_type="text/html"),
    ]
    wire.answer(*(kinds * 8))

    async def end_of(request: GenerationRequest) -> FinishReason | None:
        return [delta async for delta in client.stream_reply(request)][-1].finish_reason

    async with asyncio.timeout(60):
        ends = await asyncio.gather(*(end_of(a_request()) for _ in range(56)))
    wire.answer(text("Fine"))
    reply = await client.complete_reply(a_request())

    assert set(ends) == {FinishReason.STOP, FinishReason.ERROR}
    assert reply.text == "Fine"


def test_battles_take_the_recommended_parameters() -> None:
    add_endpoint("http://h/v1", "far", is_enabled=False, recommended={"top_p": 0.1})
    add_endpoint("http://i/v1", "far", recommended={"temperature": 0.3, "max_tokens": 99})

    far = LanguageModel.objects.get(name="far")
    plain = register_model(name="plain")

    assert selectors.recommended_params(far) == {"temperature": 0.3, "max_tokens": 99}
    assert selectors.recommended_params(plain) == {}
