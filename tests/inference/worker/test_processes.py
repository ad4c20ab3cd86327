"""Worker processes on a real Redis: what happens when either of them dies, freezes or leaves."""

import asyncio
import signal
import time

import pytest

from inference import client
from inference.generation import Delta, FinishReason, GenerationRequest, SamplingParams
from inference.messages import Message, Role
from inference.providers.transport import site_bus
from inference.providers.worker import publish_task
from tests.support.fake_engine import ANSWER_TOKENS, counted

pytestmark = pytest.mark.services

NAME = "counter"
WHOLE = counted(0, ANSWER_TOKENS)


def a_request(**params: object) -> GenerationRequest:
    return GenerationRequest(NAME, (Message(Role.USER, "count"),), SamplingParams(**params))


async def read(request_id: str, from_seq: int = 0) -> list[Delta]:
    async with asyncio.timeout(60):
        return [delta async for delta in client.follow(request_id, from_seq=from_seq)]


def text_of(deltas: list[Delta]) -> str:
    return "".join(delta.text for delta in deltas)


async def start_some(count: int) -> list[GenerationRequest]:
    requests = [a_request() for _ in range(count)]
    await asyncio.gather(*map(client.start, requests))
    return requests


async def until_seen(request: GenerationRequest, tokens: int) -> None:
    async for delta in client.follow(request.request_id):
        if delta.next_seq >= tokens:
            return


async def test_answers_cross_the_processes_whole(workers) -> None:
    workers.start(NAME, "--slots", "8")
    workers.wait_until_live(1)

    requests = await start_some(8)
    answers = await asyncio.gather(*(read(request.request_id) for request in requests))

    assert [text_of(answer) for answer in answers] == [WHOLE] * 8
    assert all(answer[-1].usage.completion_tokens == ANSWER_TOKENS for answer in answers)


async def test_a_killed_worker_is_reported_when_there_is_no_other(workers) -> None:
    worker = workers.start(NAME, "--step-s", "0.1")
    workers.wait_until_live(1)
    [request] = await start_some(1)
    await until_seen(request, 3)

    following = asyncio.create_task(read(request.request_id))
    worker.kill()
    deltas = await following

    assert deltas[-1].finish_reason is FinishReason.ERROR
    assert deltas[-1].failure.code == "worker_lost"
    assert text_of(deltas) == counted(0, deltas[-1].next_seq)


async def test_another_worker_goes_on_where_a_killed_one_stopped(workers) -> None:
    dying = workers.start(NAME, "--step-s", "0.1")
    workers.wait_until_live(1)
    requests = await start_some(4)
    following = [asyncio.create_task(read(request.request_id)) for request in requests]
    await until_seen(requests[0], 5)
    workers.start(NAME, "--step-s", "0.01")
    workers.wait_until_live(2)

    dying.kill()
    answers = await asyncio.gather(*following)

    assert [text_of(answer) for answer in answers] == [WHOLE] * 4
    assert all(answer[-1].usage.completion_tokens == ANSWER_TOKENS for answer in answers)


async def test_requests_nobody_is_left_to_answer_are_ended(workers) -> None:
    worker = workers.start(NAME, "--slots", "2", "--step-s", "0.5")
    workers.wait_until_live(1)
    requests = await start_some(3)
    watching = [asyncio.create_task(until_seen(request, 1)) for request in requests]
    await asyncio.wait(watching, return_when=asyncio.FIRST_COMPLETED)  # any two may run first

    worker.kill()
    answers = await asyncio.gather(*(read(request.request_id) for request in requests))

    await asyncio.gather(*watching)
    assert {answer[-1].failure.code for answer in answers} <= {"worker_lost", "no_worker"}


async def test_an_answer_survives_the_web_process_that_asked_for_it(workers) -> None:
    workers.start(NAME, "--step-s", "0.05")
    workers.wait_until_live(1)
    printed = workers.run_script(
        """
import asyncio, os, signal
import django; django.setup()
from inference import client
from inference.generation import GenerationRequest
from inference.messages import Message, Role

async def main():
    request = GenerationRequest("counter", (Message(Role.USER, "count"),))
    async for delta in client.stream_reply(request):
        if delta.next_seq > 5:
            print(request.request_id, delta.next_seq, flush=True)
            os.kill(os.getpid(), signal.SIGKILL)
asyncio.run(main())
"""
    )
    request_id, seen = printed.split()

    deltas = await read(request_id, from_seq=int(seen))

    assert text_of(deltas) == counted(int(seen), ANSWER_TOKENS)


async def test_a_task_delivered_twice_generates_once(workers) -> None:
    workers.start(NAME, "--step-s", "0.02")
    workers.wait_until_live(1)
    [request] = await start_some(1)
    for _ in range(3):
        await asyncio.to_thread(publish_task, NAME, request.request_id, 0)

    first = await read(request.request_id)
    await asyncio.to_thread(publish_task, NAME, request.request_id, 0)
    await client.complete_reply(a_request())

    assert text_of(first) == WHOLE
    log = site_bus().inspect([request.request_id])[request.request_id].log
    assert sum(len(event.pieces) for event in log) == ANSWER_TOKENS


async def test_a_task_that_got_lost_is_published_again(workers, monkeypatch) -> None:
    workers.start(NAME)
    workers.wait_until_live(1)
    monkeypatch.setattr("inference.providers.worker.publish_task", lambda *_: None)

    [request] = await start_some(1)

    assert text_of(await read(request.request_id)) == WHOLE


async def test_stopping_frees_the_slot_in_the_worker(workers) -> None:
    workers.start(NAME, "--slots", "1", "--step-s", "0.05")
    workers.wait_until_live(1)
    [request] = await start_some(1)
    await until_seen(request, 2)

    await client.cancel(request.request_id)
    deltas = await read(request.request_id)
    reply = await client.complete_reply(a_request(max_tokens=3))

    assert deltas[-1].finish_reason is FinishReason.CANCELLED
    assert deltas[-1].next_seq < ANSWER_TOKENS
    assert reply.text == counted(0, 3)


async def test_a_leaving_worker_finishes_what_runs(workers) -> None:
    worker = workers.start(NAME, "--step-s", "0.05")
    workers.wait_until_live(1)
    requests = await start_some(4)
    await until_seen(requests[-1], 1)

    worker.send_signal(signal.SIGTERM)
    answers = await asyncio.gather(*(read(request.request_id) for request in requests))
    status = await asyncio.to_thread(worker.wait, 30)

    assert [text_of(answer) for answer in answers] == [WHOLE] * 4
    assert status == 0
    assert await client.live_models() == frozenset()


async def test_a_leaving_worker_does_not_wait_for_ever(workers) -> None:
    worker = workers.start(NAME, "--step-s", "1.0", "--drain-s", "1")
    workers.wait_until_live(1)
    [request] = await start_some(1)
    await until_seen(request, 1)

    worker.send_signal(signal.SIGTERM)
    deltas = await read(request.request_id)
    status = await asyncio.to_thread(worker.wait, 30)

    assert deltas[-1].failure.code == "worker_shutdown"
    assert status == 0


async def test_an_answer_goes_on_while_redis_is_frozen(workers, redis_server) -> None:
    workers.start(NAME, "--step-s", "0.05")
    workers.wait_until_live(1)
    requests = await start_some(3)
    following = [asyncio.create_task(read(request.request_id)) for request in requests]
    await until_seen(requests[0], 3)

    redis_server.freeze()
    await asyncio.sleep(2)
    redis_server.thaw()

    answers = await asyncio.gather(*following)
    assert [text_of(answer) for answer in answers] == [WHOLE] * 3


async def test_an_answer_outlives_a_redis_that_lost_everything(workers, redis_server) -> None:
    worker = workers.start(NAME, "--step-s", "0.2")
    workers.wait_until_live(1)
    requests = await start_some(3)
    following = [asyncio.create_task(read(request.request_id)) for request in requests]
    await until_seen(requests[0], 3)

    redis_server.kill()
    await asyncio.sleep(1)
    redis_server.start()
    answers = await asyncio.gather(*following)
    again = await read(requests[0].request_id)
    await asyncio.to_thread(workers.wait_until_live, 1)
    reply = await ask_until_answered()

    assert [text_of(answer) for answer in answers] == [WHOLE] * 3
    assert text_of(again) == WHOLE
    assert reply == counted(0, 2)
    assert worker.poll() is None


async def ask_until_answered() -> str:
    """The queue's connection needs a moment after a restart of Redis."""
    deadline = time.monotonic() + 40
    while True:
        try:
            return (await client.complete_reply(a_request(max_tokens=2))).text
        except Exception:
            if time.monotonic() > deadline:
                raise
            await asyncio.sleep(0.5)


async def test_two_workers_share_the_queue(workers) -> None:
    workers.start(NAME, "--slots", "2", "--step-s", "0.2")
    workers.start(NAME, "--slots", "2", "--step-s", "0.2")
    workers.wait_until_live(2)

    requests = await start_some(6)  # more than one worker takes at a time
    for request in requests:
        await until_seen(request, 1)
    used = {
        view.worker_id
        for view in site_bus().inspect([request.request_id for request in requests]).values()
    }

    assert len(used) == 2
