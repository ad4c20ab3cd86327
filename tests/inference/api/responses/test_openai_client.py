"""The official client over `/v1/responses`, told to accept nothing its types do not allow."""

import json
from collections.abc import AsyncIterator

import httpx2
import openai
import pytest
from django.core.asgi import get_asgi_application
from pydantic import BaseModel

from inference.generation import Delta, Failure, FinishReason, Usage
from inference.messages import ImagePart, Message, Role, ToolCall
from tests.inference.api.test_keys import amade
from tests.support.canned_client import CannedClient, spoken

WEATHER = {
    "type": "function",
    "name": "weather",
    "description": "Tells the weather.",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
    "strict": None,
}
CALL = '<tool_call>\n{"name": "weather", "arguments": {"city": "Ulm"}}\n</tool_call>'
PIXEL = "data:image/png;base64,aGVsbG8="


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


async def test_a_text_is_answered(client, models: CannedClient):
    response = await client.responses.create(
        model="parrot", input="Hi", instructions="Be brief.", max_output_tokens=9, temperature=0.5
    )

    assert response.output_text == "Hello 世界"
    assert (response.status, response.usage.total_tokens) == ("completed", 8)
    assert response._request_id.startswith("req_")
    (asked,) = models.requests
    assert asked.messages == (Message(Role.SYSTEM, "Be brief."), Message(Role.USER, "Hi"))
    assert (asked.params.max_tokens, asked.params.temperature) == (9, 0.5)


async def test_items_of_every_kind_become_a_conversation(client, models: CannedClient):
    await client.responses.create(
        model="parrot",
        input=[
            {"role": "developer", "content": "Be brief."},
            {
                "role": "user",
                "content": [
                    {"type": "input_text", "text": "Look"},
                    {"type": "input_image", "image_url": PIXEL, "detail": "auto"},
                ],
            },
            {"type": "reasoning", "id": "rs_1", "summary": []},
            {
                "type": "message",
                "id": "msg_1",
                "status": "completed",
                "role": "assistant",
                "content": [{"type": "output_text", "text": "I ask.", "annotations": []}],
            },
            {
                "type": "function_call",
                "call_id": "c1",
                "name": "weather",
                "arguments": '{"city":"Ulm"}',
            },
            {"type": "function_call_output", "call_id": "c1", "output": "rain"},
        ],
    )

    system, user, assistant, tool = models.requests[0].messages
    assert system == Message(Role.SYSTEM, "Be brief.")
    assert (user.content, user.images) == ("Look", (ImagePart(b"hello", "image/png"),))
    assert assistant.tool_calls == (ToolCall("c1", "weather", '{"city":"Ulm"}'),)
    assert assistant.content == "I ask."
    assert tool == Message(Role.TOOL, "rain", tool_call_id="c1", name="weather")


async def test_a_stream_tells_its_events_in_order(client):
    stream = await client.responses.create(model="parrot", input="Hi", stream=True)

    events = [event async for event in stream]
    assert [event.type.removeprefix("response.") for event in events] == [
        "created",
        "in_progress",
        "output_item.added",
        "content_part.added",
        "output_text.delta",
        "output_text.delta",
        "output_text.delta",
        "output_text.done",
        "content_part.done",
        "output_item.done",
        "completed",
    ]
    assert [event.sequence_number for event in events] == list(range(len(events)))
    assert events[-1].response.output_text == "Hello 世界"
    assert events[0].response.output == []
    assert events[2].item.content == []


async def test_the_stream_helper_puts_the_response_together(client):
    async with client.responses.stream(model="parrot", input="Hi") as stream:
        deltas = [e.delta async for e in stream if e.type == "response.output_text.delta"]
        response = await stream.get_final_response()

    assert "".join(deltas) == response.output_text == "Hello 世界"


async def test_functions_are_called(client, models: CannedClient):
    models.answers["parrot"] = spoken("I look. ", CALL[:20], CALL[20:], "\n")

    response = await client.responses.create(model="parrot", input="Rain?", tools=[WEATHER])

    message, call = response.output
    assert message.content[0].text == "I look."
    assert (call.name, json.loads(call.arguments)) == ("weather", {"city": "Ulm"})
    assert models.requests[0].tools[0]["function"]["name"] == "weather"


async def test_calls_stream_as_items(client, models: CannedClient):
    models.answers["parrot"] = spoken(*CALL, "\n", *CALL)

    stream = await client.responses.create(
        model="parrot", input="Rain?", tools=[WEATHER], stream=True
    )

    events = [event async for event in stream]
    pieces = ["", ""]
    for event in events:
        if event.type == "response.function_call_arguments.delta":
            pieces[event.output_index] += event.delta
    assert pieces == ['{"city": "Ulm"}'] * 2
    calls = events[-1].response.output
    assert [call.type for call in calls] == ["function_call"] * 2
    assert calls[0].call_id != calls[1].call_id
    assert not any(event.type.startswith("response.output_text") for event in events)


async def test_a_demanded_call_is_a_grammar(client, models: CannedClient):
    models.answers["parrot"] = spoken(CALL)
    other = WEATHER | {"name": "other"}

    await client.responses.create(
        model="parrot",
        input="Rain?",
        tools=[WEATHER, other],
        tool_choice={"type": "function", "name": "weather"},
    )

    grammar = models.requests[0].params.grammar
    assert (grammar["type"], grammar["most"]) == ("calls", 1)
    assert [function["name"] for function in grammar["functions"]] == ["weather"]


async def test_no_function_is_offered_where_none_may_be_called(client, models: CannedClient):
    models.answers["parrot"] = spoken(CALL)

    response = await client.responses.create(
        model="parrot", input="Rain?", tools=[WEATHER], tool_choice="none"
    )

    assert response.output_text == CALL
    assert models.requests[0].tools == ()


async def test_an_answer_is_parsed_into_a_model(client, models: CannedClient):
    class Place(BaseModel):
        city: str

    models.answers["parrot"] = spoken('{"city": ', '"Ulm"}')

    response = await client.responses.parse(model="parrot", input="Where?", text_format=Place)

    assert response.output_parsed == Place(city="Ulm")
    grammar = models.requests[0].params.grammar
    assert grammar["type"] == "json_schema"
    assert list(grammar["schema"]["properties"]) == ["city"]


async def test_a_response_is_continued_read_and_deleted(client, models: CannedClient):
    first = await client.responses.create(model="parrot", input="Hi", instructions="Be brief.")

    second = await client.responses.create(
        model="parrot", input="And?", previous_response_id=first.id
    )

    assert [message.content for message in models.requests[1].messages] == [
        "Hi",
        "Hello 世界",
        "And?",
    ]
    assert second.previous_response_id == first.id
    assert (await client.responses.retrieve(first.id)).output_text == "Hello 世界"
    await client.responses.delete(first.id)
    with pytest.raises(openai.NotFoundError) as gone:
        await client.responses.retrieve(first.id)
    assert gone.value.code == "response_not_found"
    with pytest.raises(openai.NotFoundError):
        await client.responses.create(model="parrot", input="?", previous_response_id=first.id)


async def test_a_streamed_call_is_answered_by_its_id_alone(client, models: CannedClient):
    models.answers["parrot"] = spoken(CALL)
    stream = await client.responses.create(
        model="parrot", input="Rain?", tools=[WEATHER], stream=True
    )
    first = [event async for event in stream][-1].response

    result = {"type": "function_call_output", "call_id": first.output[0].call_id, "output": "rain"}
    await client.responses.create(model="parrot", input=[result], previous_response_id=first.id)

    assert models.requests[1].messages[-1].name == "weather"
    assert models.requests[1].messages[1].tool_calls[0].id == first.output[0].call_id


async def test_what_is_not_stored_cannot_be_continued(client):
    first = await client.responses.create(model="parrot", input="Hi", store=False)

    assert first.store is False
    with pytest.raises(openai.NotFoundError):
        await client.responses.create(model="parrot", input="?", previous_response_id=first.id)


async def test_a_response_belongs_to_the_key_that_made_it(client):
    mine = client.with_options(api_key=await amade())
    yours = client.with_options(api_key=await amade())
    response = await mine.responses.create(model="parrot", input="Hi")

    for stranger in (yours, client):
        with pytest.raises(openai.NotFoundError):
            await stranger.responses.retrieve(response.id)
        with pytest.raises(openai.NotFoundError):
            await stranger.responses.delete(response.id)
    assert (await mine.responses.retrieve(response.id)).id == response.id


async def test_an_answer_cut_by_its_limit_is_incomplete(client, models: CannedClient):
    models.answers["parrot"] = spoken("Hel", "lo", reason=FinishReason.LENGTH)

    response = await client.responses.create(model="parrot", input="Hi", max_output_tokens=2)
    stream = await client.responses.create(model="parrot", input="Hi", stream=True)
    last = [event async for event in stream][-1]

    assert response.status == last.response.status == "incomplete"
    assert response.incomplete_details.reason == "max_output_tokens"
    assert last.type == "response.incomplete"


async def test_a_break_in_the_stream_is_a_failed_response(client, models: CannedClient):
    broken = Failure(code="worker_lost", message="the worker is gone")
    models.answers["parrot"] = [
        Delta(seq=0, pieces=("Hel",)),
        Delta(seq=1, finish_reason=FinishReason.ERROR, failure=broken),
    ]

    stream = await client.responses.create(model="parrot", input="Hi", stream=True)

    last = [event async for event in stream][-1]
    assert last.type == "response.failed"
    assert last.response.error.code == "server_error"
    assert last.response.error.message == "the worker is gone"


async def test_an_empty_answer_is_an_empty_message(client, models: CannedClient):
    usage = Usage(prompt_tokens=1, completion_tokens=1)
    models.answers["parrot"] = [Delta(seq=0, finish_reason=FinishReason.STOP, usage=usage)]

    response = await client.responses.create(model="parrot", input="Hi")

    assert response.output_text == ""
    assert len(response.output) == 1
