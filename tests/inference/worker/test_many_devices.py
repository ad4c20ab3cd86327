"""Models over several processes and several workers for one model, on a real Redis."""

import asyncio
import os
import signal
from pathlib import Path

import pytest

from inference import client
from inference.generation import GenerationRequest, SamplingParams
from inference.messages import Message, Role
from inference.providers.transport import site_bus
from tests.inference.worker.conftest import children_of
from tests.support.engine_runs import naive_greedy
from tests.support.ports import wait_until
from tests.support.tiny_models import byte_tokenizer, save_tiny_model, tiny_llama

pytestmark = [pytest.mark.services, pytest.mark.slow]

NAME = "tiny"
PROMPT = "Tell me about the sea."
LOADING_S = 150.0
PARAMS = SamplingParams(temperature=0.0, max_tokens=24, ignore_eos=True)


def a_request(params: SamplingParams = PARAMS) -> GenerationRequest:
    return GenerationRequest(NAME, (Message(Role.USER, PROMPT),), params)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return save_tiny_model(tmp_path / NAME, context_length=4096)


def text_of_whole_model() -> str:
    tokenizer = byte_tokenizer()
    tokens = naive_greedy(tiny_llama(context_length=4096), tokenizer, PROMPT)
    return str(tokenizer.decode(tokens, skip_special_tokens=True))


async def until_running(count: int) -> None:
    """Return when so many workers have something to do at once."""
    bus = site_bus()
    await asyncio.to_thread(
        wait_until,
        lambda: sum(beat.running > 0 for beat in bus.workers()) >= count,
        what=f"{count} workers run",
    )


async def test_processes_that_share_a_model_answer_and_leave_together(workers, model) -> None:
    launcher = workers.share(model, "--device", "cpu")
    await asyncio.to_thread(workers.wait_until_live, 1, timeout_s=LOADING_S)

    replies = await asyncio.gather(*(client.complete_reply(a_request()) for _ in range(5)))
    launcher.send_signal(signal.SIGTERM)
    await asyncio.to_thread(launcher.wait, 60)

    assert {reply.text for reply in replies} == {text_of_whole_model()}
    assert len(site_bus().workers()) == 0
    output = workers.log(0).read_text()
    assert "computes its share" in output
    assert "EngineLostError" not in output


async def test_a_lost_process_ends_the_whole_worker(workers, model) -> None:
    launcher = workers.share(model, "--device", "cpu")
    await asyncio.to_thread(workers.wait_until_live, 1, timeout_s=LOADING_S)
    endless = SamplingParams(temperature=0.0, max_tokens=3500, ignore_eos=True)
    answer = asyncio.create_task(client.complete_reply(a_request(endless)))
    await until_running(1)

    os.kill(children_of(launcher)[-1], signal.SIGKILL)
    status = await asyncio.to_thread(launcher.wait, 90)
    [failure] = await asyncio.gather(answer, return_exceptions=True)

    assert status != 0
    assert getattr(failure, "code", None) in {"engine_error", "worker_lost", "no_worker"}


async def test_two_workers_of_one_model_answer_side_by_side(workers, model) -> None:
    for _ in range(2):
        workers.serve(model, "--device", "cpu", "--max-batch", "2")
    await asyncio.to_thread(workers.wait_until_live, 2, timeout_s=LOADING_S)
    long = SamplingParams(temperature=0.0, max_tokens=2500, ignore_eos=True)

    # A worker takes off the queue what it has slots for and two more: four of the six.
    answers = [asyncio.create_task(client.complete_reply(a_request(long))) for _ in range(6)]
    await until_running(2)
    texts = {reply.text for reply in await asyncio.gather(*answers)}

    assert len(texts) == 1
    assert texts.pop().startswith(text_of_whole_model())
