"""Asking through the embedded path: queue, claim, engine thread, bus, hub."""

import asyncio
from contextlib import aclosing

import pytest

from inference import client
from inference.exceptions import (
    GenerationFailedError,
    InvalidRequestError,
    ModelNotFoundError,
    ModelUnavailableError,
    QueueFullError,
    RequestExpiredError,
)
from inference.generation import Delta, FinishReason, GenerationRequest, SamplingParams
from inference.messages import Message, Role
from inference.models import LanguageModel
from tests.inference.client.conftest import NAME
from tests.support.fake_engine import ANSWER_TOKENS, FakeEngine, counted
from tests.support.ports import wait_until

WHOLE = counted(0, ANSWER_TOKENS)


def a_request(text: str = "count", **params: object) -> GenerationRequest:
    return GenerationRequest(NAME, (Message(Role.USER, text),), SamplingParams(**params))


async def read(request_id: str, from_seq: int = 0) -> list[Delta]:
    return [delta async for delta in client.follow(request_id, from_seq=from_seq)]


def text_of(deltas: list[Delta]) -> str:
    return "".join(delta.text for delta in deltas)


def follows_without_gap(deltas: list[Delta], first: int = 0) -> bool:
    expected = first
    for delta in deltas:
        if delta.seq != expected:
            return False
        expected = delta.next_seq
    return True


async def until_idle(engine: FakeEngine) -> None:
    await asyncio.to_thread(wait_until, lambda: not engine.has_work(), what="the slot is free")


async def test_an_answer_arrives_whole_and_in_order(embedded) -> None:
    embedded.serve(FakeEngine())

    deltas = [delta async for delta in client.stream_reply(a_request())]

    assert text_of(deltas) == WHOLE
    assert follows_without_gap(deltas)
    assert [delta.is_last for delta in deltas].count(True) == 1
    assert deltas[-1].usage.completion_tokens == ANSWER_TOKENS


async def test_a_whole_reply_has_text_reason_and_usage(embedded) -> None:
    embedded.serve(FakeEngine())

    reply = await client.complete_reply(a_request(max_tokens=5))

    assert reply.text == counted(0, 5)
    assert reply.finish_reason is FinishReason.LENGTH
    assert reply.usage.total_tokens == 8


async def test_many_answers_at_once_do_not_mix(embedded) -> None:
    embedded.serve(FakeEngine(slots=8))
    requests = [a_request(max_tokens=n) for n in range(1, 11)]

    replies = await asyncio.gather(*map(client.complete_reply, requests))

    assert [reply.text for reply in replies] == [counted(0, n) for n in range(1, 11)]


async def test_several_followers_read_the_same_answer(embedded) -> None:
    embedded.serve(FakeEngine(step_s=0.005))
    request = a_request()
    await client.start(request)

    first, second, later = await asyncio.gather(
        read(request.request_id), read(request.request_id), read(request.request_id, from_seq=30)
    )
    after_the_end = await read(request.request_id, from_seq=12)

    assert text_of(first) == text_of(second) == WHOLE
    assert text_of(later) == counted(30, ANSWER_TOKENS)
    assert text_of(after_the_end) == counted(12, ANSWER_TOKENS)
    assert all(map(follows_without_gap, (first, second)))


async def test_a_follower_that_knows_everything_gets_the_end_alone(embedded) -> None:
    embedded.serve(FakeEngine())
    request = a_request()
    await client.complete_reply(request)

    [last] = await read(request.request_id, from_seq=ANSWER_TOKENS)

    assert last == Delta(ANSWER_TOKENS, (), FinishReason.STOP, last.usage)


async def test_starting_twice_generates_once(embedded) -> None:
    engine = FakeEngine(step_s=0.002)
    embedded.serve(engine)
    request = a_request()

    await asyncio.gather(client.start(request), client.start(request))
    deltas = await read(request.request_id)

    assert text_of(deltas) == WHOLE
    assert engine.submitted == [request.request_id]


async def test_leaving_a_reply_frees_its_slot(embedded) -> None:
    engine = FakeEngine(step_s=0.05)
    embedded.serve(engine)

    async with aclosing(client.stream_reply(a_request())) as deltas:
        await anext(deltas)

    await until_idle(engine)
    assert engine.load().running == 0


async def test_leaving_a_followed_answer_does_not_stop_it(embedded) -> None:
    embedded.serve(FakeEngine(step_s=0.01))
    request = a_request()
    await client.start(request)

    async with aclosing(client.follow(request.request_id)) as deltas:
        await anext(deltas)

    assert text_of(await read(request.request_id)) == WHOLE


async def test_a_cancelled_answer_says_so_and_keeps_its_text(embedded) -> None:
    embedded.serve(FakeEngine(step_s=0.02))
    request = a_request()
    seen = []

    async for delta in client.stream_reply(request):
        seen.append(delta)
        if len(seen) == 3:
            await client.cancel(request.request_id)

    assert seen[-1].finish_reason is FinishReason.CANCELLED
    assert seen[-1].usage is not None
    assert 0 < seen[-1].next_seq < ANSWER_TOKENS
    assert text_of(seen) == counted(0, seen[-1].next_seq)


async def test_a_refused_prompt_ends_with_the_engines_code(embedded) -> None:
    embedded.serve(FakeEngine())

    with pytest.raises(GenerationFailedError, match="this prompt is bad") as failure:
        await client.complete_reply(a_request("bad"))

    assert failure.value.code == "invalid_request"


@pytest.mark.parametrize("params", [{"n": 2}, {"best_of": 2}])
async def test_what_the_bus_cannot_carry_is_refused_by_name(embedded, params) -> None:
    embedded.serve(FakeEngine())
    (name,) = params

    with pytest.raises(GenerationFailedError, match=f"{name} is not served") as failure:
        await client.complete_reply(a_request(**params))

    assert failure.value.code == "invalid_request"


async def test_too_many_requests_are_refused_at_once(embedded) -> None:
    embedded.serve(FakeEngine(slots=2, step_s=0.05))
    requests = [a_request() for _ in range(6)]

    results = await asyncio.gather(*map(client.start, requests), return_exceptions=True)

    refused = [result for result in results if isinstance(result, QueueFullError)]
    assert len(refused) == 3  # two slots, half as many wait
    assert refused[0].retry_after_s >= 1
    for request in requests:
        await client.cancel(request.request_id)


@pytest.mark.django_db(transaction=True)
async def test_a_name_nobody_knows_is_not_found(embedded) -> None:
    with pytest.raises(ModelNotFoundError):
        await client.start(GenerationRequest("nobody", (Message(Role.USER, "hi"),)))


@pytest.mark.django_db(transaction=True)
async def test_a_known_name_without_a_worker_is_unavailable(embedded) -> None:
    await LanguageModel.objects.acreate(name="asleep")

    with pytest.raises(ModelUnavailableError):
        await client.start(GenerationRequest("asleep", (Message(Role.USER, "hi"),)))


@pytest.mark.parametrize("messages", [(), (Message(Role.USER, "x" * 3_000_000),)])
async def test_nothing_to_answer_and_too_much_are_refused(embedded, messages) -> None:
    embedded.serve(FakeEngine())

    with pytest.raises(InvalidRequestError):
        await client.start(GenerationRequest(NAME, messages))


async def test_an_unknown_answer_cannot_be_followed(embedded) -> None:
    with pytest.raises(RequestExpiredError):
        await read("f" * 32)


async def test_a_negative_position_is_refused(embedded) -> None:
    with pytest.raises(InvalidRequestError):
        await read("f" * 32, from_seq=-1)


async def test_live_models_follow_the_hosts(embedded) -> None:
    host = embedded.serve(FakeEngine())

    [worker] = await client.live_workers()
    before = await client.live_models()
    host.close()

    assert before == {NAME}
    assert (worker.slots, worker.device) == (4, "cpu")
    assert await client.live_models() == frozenset()


async def test_a_broken_step_fails_its_answers_and_no_others(embedded) -> None:
    engine = FakeEngine(step_s=0.01)
    embedded.serve(engine)
    request = a_request()
    await client.start(request)
    engine.breaks_next_steps = 1

    deltas = await read(request.request_id)
    reply = await client.complete_reply(a_request())

    assert deltas[-1].failure.code == "engine_error"
    assert reply.text == WHOLE


async def test_a_stuck_engine_is_given_up_and_its_readers_hear_of_it(
    embedded, inference_setting
) -> None:
    inference_setting(engine_stall_s=0.3, heartbeat_interval_s=0.1, heartbeat_ttl_s=0.5)
    engine = FakeEngine(step_s=0.01)
    embedded.serve(engine)
    request = a_request()
    seen = []

    async for delta in client.stream_reply(request):
        seen.append(delta)
        engine.is_stuck.set()
    engine.is_stuck.clear()

    assert seen[-1].failure.code == "worker_lost"
