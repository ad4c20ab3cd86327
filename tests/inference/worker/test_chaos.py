"""Many answers while everything around them breaks: none loses or doubles a token."""

import asyncio
import random

import pytest
import redis

from inference import client
from inference.exceptions import BusUnavailableError, ModelUnavailableError
from inference.generation import GenerationRequest
from inference.messages import Message, Role
from inference.providers.transport import site_bus
from tests.support.fake_engine import counted
from tests.support.ports import wait_until

pytestmark = [pytest.mark.services, pytest.mark.slow]

NAME = "counter"
TOKENS = 250
STREAMS = 24
WORKER = (NAME, "--slots", "16", "--step-s", "0.05", "--answer-tokens", str(TOKENS))


async def start(request: GenerationRequest) -> None:
    """Start, again and again while Redis is away: the same request never runs twice."""
    async with asyncio.timeout(60):
        while True:
            try:
                return await client.start(request)
            except (BusUnavailableError, ModelUnavailableError):
                await asyncio.sleep(0.5)


async def read_some(name: int) -> set[str]:
    """Read several answers, one after the other."""
    messages = (Message(Role.USER, "count"),)
    return {await read(GenerationRequest(NAME, messages), random.Random(name)) for _ in range(3)}


async def read(request: GenerationRequest, rng: random.Random) -> str:
    """Read with interruptions, as a browser that reconnects does."""
    await start(request)
    text, seq = "", 0
    while True:
        leave_at = seq + rng.randint(20, 120)
        try:
            async for delta in client.follow(request.request_id, from_seq=seq):
                assert delta.seq == seq
                assert delta.failure is None, delta.failure
                text, seq = text + delta.text, delta.next_seq
                if delta.is_last:
                    return text
                if seq > leave_at:
                    break
        except BusUnavailableError:
            await asyncio.sleep(0.5)


def live_workers() -> set[str]:
    """The ids of the workers that beat."""
    return {worker.worker_id for worker in site_bus().workers()}


def wait_for_another(known: set[str]) -> None:
    """Return when a worker beats that is not among those."""
    wait_until(lambda: bool(live_workers() - known), what="a new worker is live")


async def break_things(
    workers, redis_server, rng: random.Random, *, until: asyncio.Future[list[set[str]]]
) -> list[str]:
    """One fault after the other while answers run; there is always a worker that lives."""
    done: list[str] = []
    connection = redis.Redis.from_url(redis_server.url)
    while len(done) < 6 and not until.done():
        await asyncio.sleep(rng.uniform(1.5, 3.0))
        fault = rng.choice(["worker", "freeze", "pubsub"])
        done.append(fault)
        if fault == "worker":
            known = live_workers()
            dying = workers.processes.pop(0)
            dying.kill()
            await asyncio.to_thread(dying.wait, 30)
            workers.start(*WORKER)
            # Before it can take over from the next one, that one must not die; and an answer is
            # given up when workers die on it for the third time.
            await asyncio.to_thread(wait_for_another, known)
            await asyncio.sleep(6)
        elif fault == "freeze":
            redis_server.freeze()
            await asyncio.sleep(1.5)
            redis_server.thaw()
        else:
            connection.execute_command("CLIENT", "KILL", "TYPE", "pubsub")
    connection.close()
    return done


@pytest.mark.timeout(240)
async def test_no_token_is_lost_or_doubled_under_faults(workers, redis_server) -> None:
    workers.start(*WORKER)
    workers.start(*WORKER)
    await asyncio.to_thread(workers.wait_until_live, 2)

    reading = asyncio.gather(*map(read_some, range(STREAMS)))
    faults = await break_things(workers, redis_server, random.Random(7), until=reading)
    texts = await reading

    assert len(faults) >= 3
    assert set().union(*texts) == {counted(0, TOKENS)}, faults
