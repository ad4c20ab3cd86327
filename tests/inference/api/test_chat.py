import asyncio
import json

import pytest

from inference.exceptions import ModelUnavailableError, QueueFullError
from inference.generation import Delta, Failure, FinishReason, SamplingParams
from inference.messages import Message, Role
from inference.models import LanguageModel
from tests.inference.api.conftest import ask, events_of, question
from tests.support.canned_client import spoken


def chunks_in(events: list[bytes]) -> list[dict]:
    return [
        json.loads(event.removeprefix(b"data: ")) for event in events if event[-6:] != b"[DONE]"
    ]


async def test_a_whole_answer_carries_text_reason_and_usage(api):
    response = await ask(api)

    body = response.json()
    assert response.status_code == 200
    assert body["object"] == "chat.completion"
    assert body["model"] == "parrot"
    assert body["choices"] == [
        {
            "index": 0,
            "message": {"role": "assistant", "content": "Hello 世界", "refusal": None},
            "logprobs": None,
            "finish_reason": "stop",
        }
    ]
    assert body["usage"]["total_tokens"] == 5 + 3


async def test_n_answers_share_the_prompt_and_differ_in_seed(api, models):
    response = await ask(api, question(n=3, seed=7))

    body = response.json()
    assert [choice["index"] for choice in body["choices"]] == [0, 1, 2]
    assert body["usage"]["prompt_tokens"] == 5
    assert body["usage"]["completion_tokens"] == 9
    assert {request.params.seed for request in models.requests} == {7, 8, 9}
    assert len({request.request_id for request in models.requests}) == 3


async def test_a_stream_begins_with_the_role_and_ends_with_done(api):
    response = await ask(api, question(stream=True))

    events = await events_of(response)
    chunks = chunks_in(events)
    deltas = [chunk["choices"][0]["delta"] for chunk in chunks]
    assert response.headers["Content-Type"] == "text/event-stream"
    assert response.headers["X-Accel-Buffering"] == "no"
    assert events[-1] == b"data: [DONE]"
    assert deltas[0]["role"] == "assistant"
    assert "".join(delta.get("content") or "" for delta in deltas) == "Hello 世界"
    assert [chunk["choices"][0]["finish_reason"] for chunk in chunks][-1] == "stop"
    assert all("usage" not in chunk for chunk in chunks)


async def test_every_chunk_repeats_the_heading(api):
    response = await ask(api, question(stream=True, n=2, stream_options={"include_usage": True}))

    chunks = chunks_in(await events_of(response))
    names = ("id", "object", "created", "model", "system_fingerprint")
    assert len({tuple(chunk[name] for name in names) for chunk in chunks}) == 1
    assert chunks[0]["object"] == "chat.completion.chunk"


async def test_usage_comes_in_one_last_chunk_without_choices(api):
    response = await ask(api, question(stream=True, stream_options={"include_usage": True}))

    *earlier, last = chunks_in(await events_of(response))
    assert last["choices"] == []
    assert last["usage"]["completion_tokens"] == 3
    assert all(chunk["usage"] is None for chunk in earlier)


async def test_a_failure_in_a_running_stream_is_an_error_event_without_done(api, models):
    broken = Failure(code="worker_lost", message="the worker is gone")
    models.answers["parrot"] = [
        Delta(seq=0, pieces=("Hel",)),
        Delta(seq=1, finish_reason=FinishReason.ERROR, failure=broken),
    ]

    events = await events_of(await ask(api, question(stream=True)))

    assert json.loads(events[-1].removeprefix(b"data: "))["error"]["code"] == "worker_lost"
    assert b"data: [DONE]" not in events


@pytest.mark.parametrize("is_streamed", [True, False])
@pytest.mark.parametrize(
    ("code", "status"),
    [("context_length_exceeded", 400), ("worker_lost", 503), ("out_of_cheese", 500)],
)
async def test_a_failure_before_the_first_token_is_a_real_status(
    api, models, is_streamed, code, status
):
    failure = Failure(code=code, message="no")
    models.answers["parrot"] = [Delta(seq=0, finish_reason=FinishReason.ERROR, failure=failure)]

    response = await ask(api, question(stream=is_streamed))

    assert response.status_code == status
    assert response.json()["error"]["code"] == code


@pytest.mark.parametrize("is_streamed", [True, False])
async def test_a_full_queue_says_when_to_come_back(api, models, is_streamed):
    models.answers["parrot"] = [QueueFullError("parrot", retry_after_s=4)]

    response = await ask(api, question(stream=is_streamed))

    assert response.status_code == 429
    assert response.headers["Retry-After"] == "4"
    assert response.json()["error"]["code"] == "queue_full"


async def test_a_model_without_a_worker_is_a_503(api, models):
    models.answers["parrot"] = [ModelUnavailableError("parrot")]

    response = await ask(api)

    assert response.status_code == 503
    assert response.json()["error"]["code"] == "no_worker"


async def test_an_unknown_model_is_a_404(api):
    response = await ask(api, question(model="no-such-model"))

    assert response.status_code == 404
    assert response.json()["error"]["code"] == "model_not_found"


async def test_a_hidden_model_seems_not_to_exist(api):
    await LanguageModel.objects.acreate(name="parrot", is_listed=False)

    response = await ask(api)

    assert response.status_code == 404
    assert response.json()["error"]["code"] == "model_not_found"


async def test_a_quiet_model_is_bridged_by_pings(api, models, inference_setting):
    inference_setting(api_ping_interval_s=0.02)
    models.answers["parrot"] = [0.2, *spoken("late")]

    events = await events_of(await ask(api, question(stream=True)))

    assert b": ping" in events
    assert events[-1] == b"data: [DONE]"


async def test_a_client_that_leaves_stops_the_model(api, models):
    models.answers["parrot"] = [Delta(seq=0, pieces=("Hel",)), 60.0]
    response = await ask(api, question(stream=True, n=2))
    has_begun = asyncio.Event()

    async def read() -> None:
        async for _ in response.streaming_content:
            has_begun.set()

    reading = asyncio.create_task(read())
    await has_begun.wait()
    assert models.open_count == 2

    reading.cancel()
    await asyncio.gather(reading, return_exceptions=True)

    assert models.open_count == 0


async def test_a_response_nobody_reads_stops_the_model(api, models):
    models.answers["parrot"] = [Delta(seq=0, pieces=("Hel",)), 60.0]
    response = await ask(api, question(stream=True))
    assert models.open_count == 1

    await asyncio.to_thread(response.close)

    await asyncio.wait_for(models.all_ended.wait(), timeout=20)


async def test_one_broken_answer_of_several_stops_the_others(api, models, monkeypatch):
    models.answers["parrot"] = [0.01, RuntimeError("a bug"), 60.0]

    response = await ask(api, question(n=3))

    assert response.status_code == 500
    assert response.json()["error"]["message"] == "something broke here"
    assert models.open_count == 0


async def test_every_field_of_the_sampling_reaches_the_model(api, models):
    await ask(
        api,
        question(
            temperature=0.3,
            top_p=0.9,
            top_k=-1,
            min_p=0.1,
            max_completion_tokens=12,
            stop=["\n", "END"],
            stop_token_ids=[2],
            repetition_penalty=1.1,
            presence_penalty=-1,
            frequency_penalty=1,
            seed=3,
            ignore_eos=True,
            user="somebody",
        ),
    )

    assert models.requests[0].params == SamplingParams(
        temperature=0.3,
        top_p=0.9,
        top_k=0,
        min_p=0.1,
        max_tokens=12,
        stop=("\n", "END"),
        stop_token_ids=(2,),
        repetition_penalty=1.1,
        presence_penalty=-1.0,
        frequency_penalty=1.0,
        seed=3,
        ignore_eos=True,
    )


async def test_parts_and_the_developer_role_become_plain_messages(api, models):
    parts = [{"type": "text", "text": "one"}, {"type": "text", "text": "two"}]

    await ask(
        api,
        question(
            messages=[
                {"role": "developer", "content": "be brief"},
                {"role": "user", "content": parts},
            ]
        ),
    )

    assert models.requests[0].messages == (
        Message(Role.SYSTEM, "be brief"),
        Message(Role.USER, "one\ntwo"),
    )


async def test_null_means_unset(api, models):
    nulls = dict.fromkeys(("temperature", "max_tokens", "stop", "n", "stream", "seed", "tools"))

    response = await ask(api, question(**nulls))

    assert response.status_code == 200
    assert models.requests[0].params.temperature == 0.7


async def test_a_client_that_leaves_a_whole_answer_stops_the_model(api, models):
    models.answers["parrot"] = [60.0]
    asking = asyncio.create_task(ask(api, question(n=2)))
    await models.wait_for_streams(2)

    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)

    await asyncio.wait_for(models.all_ended.wait(), timeout=20)
