"""The official client, told to accept nothing that its types do not allow."""

from collections.abc import AsyncIterator

import httpx2
import openai
import pytest
from django.core.asgi import get_asgi_application

from inference.exceptions import QueueFullError
from inference.generation import (
    Delta,
    Failure,
    FinishReason,
    LikelyToken,
    TokenScore,
    Usage,
)
from tests.inference.api.test_keys import amade
from tests.support.canned_client import spoken

HELLO = [{"role": "user", "content": "Hi"}]


@pytest.fixture
async def client(api) -> AsyncIterator[openai.AsyncOpenAI]:
    transport = httpx2.ASGITransport(app=get_asgi_application())
    async with httpx2.AsyncClient(transport=transport) as http_client:
        yield openai.AsyncOpenAI(
            base_url="http://testserver/v1",
            api_key="EMPTY",
            max_retries=0,
            http_client=http_client,
            _strict_response_validation=True,
        )


async def test_models_are_listed_and_retrieved(client):
    assert [model.id async for model in client.models.list()] == ["parrot"]
    assert (await client.models.retrieve("parrot")).object == "model"


async def test_a_whole_answer_is_read(client):
    completion = await client.chat.completions.create(model="parrot", messages=HELLO, n=2)

    assert [choice.message.content for choice in completion.choices] == ["Hello 世界"] * 2
    assert completion.usage.total_tokens == 5 + 6
    assert completion._request_id.startswith("req_")


async def test_a_stream_is_read_with_its_usage(client):
    stream = await client.chat.completions.create(
        model="parrot", messages=HELLO, stream=True, stream_options={"include_usage": True}
    )

    chunks = [chunk async for chunk in stream]
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert text == "Hello 世界"
    assert chunks[-1].usage.completion_tokens == 3


async def test_the_stream_helper_puts_the_answer_together(client):
    async with client.chat.completions.stream(model="parrot", messages=HELLO) as stream:
        completion = await stream.get_final_completion()

    assert completion.choices[0].message.content == "Hello 世界"
    assert completion.choices[0].finish_reason == "stop"


async def test_a_break_in_the_stream_raises(client, models):
    broken = Failure(code="worker_lost", message="the worker is gone")
    models.answers["parrot"] = [
        Delta(seq=0, pieces=("Hel",)),
        Delta(seq=1, finish_reason=FinishReason.ERROR, failure=broken),
    ]
    stream = await client.chat.completions.create(model="parrot", messages=HELLO, stream=True)

    with pytest.raises(openai.APIError, match="the worker is gone"):
        async for _ in stream:
            pass


async def test_each_refusal_has_its_own_exception(client, models, inference_setting):
    with pytest.raises(openai.BadRequestError) as bad:
        await client.chat.completions.create(model="parrot", messages=HELLO, n=99)
    assert (bad.value.param, bad.value.code) == ("n", "out_of_range")

    with pytest.raises(openai.NotFoundError) as missing:
        await client.models.retrieve("dodo")
    assert missing.value.code == "model_not_found"

    models.answers["parrot"] = [QueueFullError("parrot", retry_after_s=3)]
    with pytest.raises(openai.RateLimitError) as full:
        await client.chat.completions.create(model="parrot", messages=HELLO)
    assert full.value.response.headers["retry-after"] == "3"

    inference_setting(api_requires_key=True)
    with pytest.raises(openai.AuthenticationError):
        await client.models.list()
    authorised = client.with_options(api_key=await amade())
    assert [model.id async for model in authorised.models.list()] == ["parrot"]


async def test_raw_prompts_are_continued_whole_and_streamed(client):
    whole = await client.completions.create(model="parrot", prompt=["a", "b"], logprobs=1)
    # Its types know no chunk in the middle of a text, whose finish_reason is null.
    client._strict_response_validation = False
    stream = await client.completions.create(model="parrot", prompt="a", stream=True)

    assert [choice.text for choice in whole.choices] == ["Hello 世界"] * 2
    assert "".join([chunk.choices[0].text async for chunk in stream]) == "Hello 世界"


async def test_logprobs_are_read_whole_and_streamed(client, models):
    token = LikelyToken("Hi", b"Hi", -0.5)
    score = TokenScore(token, (token, LikelyToken("Yo", b"Yo", float("-inf"))))
    models.answers["parrot"] = [
        Delta(0, ("Hi",), scores=(score,)),
        Delta(1, finish_reason=FinishReason.LENGTH, usage=Usage(1, 1)),
    ]
    asked = {"model": "parrot", "messages": HELLO, "logprobs": True, "top_logprobs": 2}

    completion = await client.chat.completions.create(**asked)
    stream = await client.chat.completions.create(**asked, stream=True)

    streamed = [chunk.choices[0].logprobs async for chunk in stream if chunk.choices[0].logprobs]
    for logprobs in (completion.choices[0].logprobs, *streamed):
        (told,) = logprobs.content
        assert (told.token, told.logprob, told.bytes) == ("Hi", -0.5, [72, 105])
        assert [likely.logprob for likely in told.top_logprobs] == [-0.5, -9999.0]
    assert len(streamed) == 1


async def test_an_answer_is_held_to_a_schema(client, models):
    schema = {"type": "object", "properties": {"city": {"type": "string"}}}
    form = {"type": "json_schema", "json_schema": {"name": "place", "schema": schema}}

    await client.chat.completions.create(
        model="parrot", messages=HELLO, response_format=form, logit_bias={"7": -100}
    )

    params = models.requests[0].params
    assert params.grammar == {"type": "json_schema", "schema": schema}
    assert params.logit_bias == ((7, -100.0),)


async def test_calls_are_read_whole_and_streamed(client, models):
    call = '<tool_call>{"name": "add", "arguments": {"a": 1}}</tool_call>'
    models.answers["parrot"] = spoken("I add. ", call[:20], call[20:45], call[45:])
    offered = {
        "model": "parrot",
        "messages": HELLO,
        "tools": [{"type": "function", "function": {"name": "add", "parameters": {}}}],
    }

    completion = await client.chat.completions.create(**offered)
    async with client.chat.completions.stream(**offered) as stream:
        streamed = await stream.get_final_completion()

    for choice in (completion.choices[0], streamed.choices[0]):
        assert choice.finish_reason == "tool_calls"
        (called,) = choice.message.tool_calls
        assert (called.function.name, called.function.arguments) == ("add", '{"a": 1}')
    assert completion.choices[0].message.content == "I add."
