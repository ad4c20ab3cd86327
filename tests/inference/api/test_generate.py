"""The protocol of Text Generation Inference: texts, events, refusals."""

import json
from typing import Any

import pytest

from inference.exceptions import QueueFullError
from inference.generation import Delta, Failure, FinishReason, LikelyToken, TokenScore, Usage
from tests.inference.api.conftest import events_of
from tests.inference.api.test_keys import amade
from tests.support.canned_client import CannedClient, spoken


async def ask(api, path: str = "/generate", **fields: Any) -> Any:
    """POST a request that is fine, with these fields changed."""
    headers = fields.pop("headers", {})
    body = {"inputs": "Once"} | fields
    return await api.post(path, data=body, content_type="application/json", headers=headers)


async def events(response: Any) -> list[dict[str, Any]]:
    """Return the events of a stream."""
    return [json.loads(event.removeprefix(b"data: ")) for event in await events_of(response)]


def scored(text: str, logprob: float) -> Delta:
    return Delta(
        seq=0, pieces=(text,), scores=(TokenScore(LikelyToken(text, text.encode(), logprob)),)
    )


async def test_a_prompt_is_continued_greedily_by_the_one_model(api, models: CannedClient):
    response = await ask(api, parameters={"max_new_tokens": 7, "stop": ["!"]})

    assert response.json() == {"generated_text": "Hello 世界"}
    (asked,) = models.requests
    assert (asked.model, asked.prompt, asked.params.max_tokens) == ("parrot", "Once", 7)
    assert (asked.params.temperature, asked.params.stop) == (0.0, ("!",))


@pytest.mark.parametrize(
    ("parameters", "temperature"),
    [({"do_sample": True}, 1.0), ({"top_p": 0.9}, 1.0), ({"temperature": 0.3}, 0.3), ({}, 0.0)],
)
async def test_sampling_begins_where_it_is_asked_for(api, models, parameters, temperature):
    await ask(api, parameters=parameters)

    assert models.requests[0].params.temperature == temperature
    assert models.requests[0].params.max_tokens == 100


async def test_details_tell_the_tokens(api, models: CannedClient):
    usage = Usage(prompt_tokens=3, completion_tokens=2)
    models.answers["parrot"] = [
        scored("Hel", -0.5),
        scored("lo", -0.25),
        Delta(seq=2, finish_reason=FinishReason.LENGTH, usage=usage),
    ]

    body = (await ask(api, parameters={"details": True, "return_full_text": True})).json()

    assert body["generated_text"] == "OnceHello"
    details = body["details"]
    assert (details["finish_reason"], details["generated_tokens"]) == ("length", 2)
    assert [(t["text"], t["logprob"]) for t in details["tokens"]] == [("Hel", -0.5), ("lo", -0.25)]


@pytest.mark.parametrize("way", [("/generate_stream", {}), ("/generate", {"stream": True})])
async def test_a_stream_is_an_event_a_token(api, way):
    path, fields = way
    told = await events(await ask(api, path, **fields))

    assert [event["token"]["text"] for event in told] == ["Hel", "lo", " 世界", ""]
    assert [event["index"] for event in told] == [1, 2, 3, 4]
    assert [event["token"]["special"] for event in told] == [False, False, False, True]
    assert {event["generated_text"] for event in told[:-1]} == {None}
    assert told[-1]["generated_text"] == "Hello 世界"
    assert told[-1]["details"]["finish_reason"] == "eos_token"
    assert told[-1]["details"]["input_length"] == 5


async def test_a_grammar_holds_the_text(api, models: CannedClient):
    schema = {"type": "object", "properties": {"a": {"type": "string"}}}

    await ask(api, parameters={"grammar": {"type": "json", "value": schema}})

    assert models.requests[0].params.grammar == {"type": "json_schema", "schema": schema}


async def test_where_several_models_are_served_one_must_be_named(api, models: CannedClient):
    models.answers["crow"] = spoken("Caw")

    unnamed, named = await ask(api), await ask(api, model="crow")

    assert unnamed.status_code == 422
    assert unnamed.json()["error"].startswith("model: ")
    assert named.json() == {"generated_text": "Caw"}


async def test_a_key_is_asked_for_where_one_is_required(api, inference_setting):
    inference_setting(api_requires_key=True)

    without = await ask(api)
    with_key = await ask(api, headers={"authorization": f"Bearer {await amade()}"})

    assert (without.status_code, with_key.status_code) == (401, 200)
    assert set(without.json()) == {"error", "error_type"}


@pytest.mark.parametrize(
    ("fields", "place"),
    [
        ({"inputs": ""}, "inputs"),
        ({"inputs": "x" * 600_000}, "inputs"),
        ({"inputs": ["a"]}, "inputs"),
        ({"parameters": {"best_of": 2}}, "parameters.best_of"),
        ({"parameters": {"watermark": True}}, "parameters.watermark"),
        ({"parameters": {"truncate": 5}}, "parameters.truncate"),
        ({"parameters": {"max_new_tokens": 0}}, "parameters.max_new_tokens"),
        ({"parameters": {"colour": 1}}, "parameters.colour"),
        ({"parameters": {"grammar": {"type": "xml", "value": 1}}}, "parameters.grammar"),
        ({"parameters": {"stop": ["x"] * 100_000}}, "parameters.stop"),
    ],
)
async def test_what_cannot_be_done_is_refused_by_name(api, fields, place):
    response = await ask(api, **fields)

    assert response.status_code == 422
    assert response.json()["error_type"] == "validation"
    assert response.json()["error"].startswith(f"{place}: ")
    assert response.headers["x-request-id"].startswith("req_")


async def test_a_busy_model_and_a_broken_stream_are_told(api, models: CannedClient):
    models.answers["parrot"] = [QueueFullError("parrot", retry_after_s=3)]
    full = await ask(api)
    broken = Failure(code="worker_lost", message="the worker is gone")
    models.answers["parrot"] = [
        Delta(seq=0, pieces=("Hel",)),
        Delta(seq=1, finish_reason=FinishReason.ERROR, failure=broken),
    ]
    told = await events(await ask(api, "/generate_stream"))

    assert (full.status_code, full.json()["error_type"]) == (429, "overloaded")
    assert told[-1] == {"error": "the worker is gone", "error_type": "overloaded"}
