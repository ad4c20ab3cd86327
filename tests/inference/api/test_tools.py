"""Functions are offered, called, heard and refused as OpenAI's API does it."""

import json
from typing import Any

import pytest

from inference.generation import FinishReason
from tests.inference.api.conftest import ask, events_of, question
from tests.support.canned_client import spoken

ADD: dict[str, Any] = {
    "type": "function",
    "function": {
        "name": "add",
        "description": "Adds.",
        "parameters": {"type": "object", "properties": {"a": {"type": "integer"}}},
    },
}
GO = {"type": "function", "function": {"name": "go"}}
CALLS = (
    "Let me see.\n<tool_",
    'call>\n{"name": "add", "argu',
    'ments": {"a": 1}}\n</tool_call>',
    '\n<tool_call>{"name": "go", "arguments": {}}</tool_call>',
)


async def body_of(api: Any, **fields: Any) -> Any:
    response = await ask(api, question(**fields))
    return response.status_code, json.loads(response.content)


async def chunks_of(api: Any, **fields: Any) -> list[dict[str, Any]]:
    response = await ask(api, question(stream=True, **fields))
    events = await events_of(response)
    assert events[-1] == b"data: [DONE]"
    return [json.loads(event.removeprefix(b"data: ")) for event in events[:-1]]


async def test_calls_of_a_whole_answer_stand_beside_its_text(api, models) -> None:
    models.answers["parrot"] = spoken(*CALLS)

    _, body = await body_of(api, tools=[ADD, GO])

    (choice,) = body["choices"]
    assert choice["finish_reason"] == "tool_calls"
    assert choice["message"]["content"] == "Let me see."
    calls = choice["message"]["tool_calls"]
    assert [call["function"]["name"] for call in calls] == ["add", "go"]
    assert json.loads(calls[0]["function"]["arguments"]) == {"a": 1}
    assert calls[0]["id"].startswith("call_")
    assert calls[0]["id"] != calls[1]["id"]


async def test_an_answer_that_only_calls_has_no_content(api, models) -> None:
    models.answers["parrot"] = spoken(*CALLS[1:], "")
    models.answers["parrot"] = spoken("<tool_", *CALLS[1:])

    _, body = await body_of(api, tools=[ADD, GO], n=2)

    assert [choice["message"]["content"] for choice in body["choices"]] == [None, None]
    assert [len(choice["message"]["tool_calls"]) for choice in body["choices"]] == [2, 2]


async def test_a_stream_tells_name_and_id_first_and_then_arguments(api, models) -> None:
    models.answers["parrot"] = spoken(*CALLS)

    chunks = await chunks_of(api, tools=[ADD, GO])

    deltas = [chunk["choices"][0]["delta"] for chunk in chunks]
    assert "".join(delta.get("content") or "" for delta in deltas) == "Let me see."
    entries = [entry for delta in deltas for entry in delta.get("tool_calls", ())]
    assert [entry["index"] for entry in entries] == sorted(entry["index"] for entry in entries)
    named = [entry for entry in entries if "id" in entry]
    assert [entry["function"]["name"] for entry in named] == ["add", "go"]
    said = "".join(entry["function"]["arguments"] for entry in entries if entry["index"] == 0)
    assert json.loads(said) == {"a": 1}
    assert chunks[-1]["choices"][0]["finish_reason"] == "tool_calls"


async def test_a_call_that_was_cut_off_ends_for_its_length(api, models) -> None:
    models.answers["parrot"] = spoken(
        '<tool_call>{"name": "add", "arguments": {"a', reason=FinishReason.LENGTH
    )

    _, body = await body_of(api, tools=[ADD])

    assert body["choices"][0]["finish_reason"] == "length"


async def test_the_model_hears_of_functions_and_of_what_was_called(api, models) -> None:
    called = {
        "role": "assistant",
        "content": None,
        "tool_calls": [
            {"id": "c1", "type": "function", "function": {"name": "add", "arguments": "{}"}}
        ],
    }
    heard = {"role": "tool", "tool_call_id": "c1", "content": "3"}

    await body_of(api, messages=[{"role": "user", "content": "?"}, called, heard], tools=[ADD, GO])

    (request,) = models.requests
    assert [tool["function"]["name"] for tool in request.tools] == ["add", "go"]
    assert request.tools[1]["function"]["parameters"]["type"] == "object"
    assert request.messages[1].tool_calls[0].id == request.messages[2].tool_call_id == "c1"
    assert request.params.grammar is None


@pytest.mark.parametrize(
    ("choice", "names"),
    [
        ("required", ["add", "go"]),
        ({"type": "function", "function": {"name": "go"}}, ["go"]),
    ],
)
async def test_a_call_that_must_be_made_is_forced(api, models, choice, names) -> None:
    await body_of(api, tools=[ADD, GO], tool_choice=choice, parallel_tool_calls=False)

    grammar = models.requests[0].params.grammar
    assert grammar["type"] == "calls"
    assert [function["name"] for function in grammar["functions"]] == names
    assert grammar["most"] == 1


async def test_without_a_choice_all_is_text(api, models) -> None:
    models.answers["parrot"] = spoken(*CALLS)

    _, body = await body_of(api, tools=[ADD, GO], tool_choice="none")

    assert body["choices"][0]["message"]["content"] == "".join(CALLS)
    assert models.requests[0].tools == ()


async def test_one_call_is_kept_where_one_is_wanted(api, models) -> None:
    models.answers["parrot"] = spoken(*CALLS)

    _, body = await body_of(api, tools=[ADD, GO], parallel_tool_calls=False)

    assert len(body["choices"][0]["message"]["tool_calls"]) == 1


async def test_options_of_the_template_reach_the_model(api, models) -> None:
    await body_of(api, chat_template_kwargs={"enable_thinking": False})

    assert models.requests[0].template_options == {"enable_thinking": False}


def deep(levels: int) -> dict[str, Any]:
    schema: dict[str, Any] = {}
    for _ in range(levels):
        schema = {"a": schema}
    return schema


def function(**fields: Any) -> dict[str, Any]:
    return {"type": "function", "function": {"name": "f", **fields}}


USER = {"role": "user", "content": "?"}


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"tools": "all"}, "tools"),
        ({"tools": [{"type": "web_search"}]}, "tools"),
        ({"tools": [function(name="a b")]}, "tools"),
        ({"tools": [GO, GO]}, "tools"),
        ({"tools": [function(name=f"f{number}") for number in range(129)]}, "tools"),
        ({"tools": [function(parameters=[])]}, "tools[0].function.parameters"),
        ({"tools": [function(parameters=deep(40))]}, "tools[0].function.parameters"),
        (
            {
                "tools": [
                    function(name=f"f{number}", description="x" * 8_000) for number in range(40)
                ]
            },
            "tools",
        ),
        ({"tool_choice": "required"}, "tool_choice"),
        ({"tools": [GO], "tool_choice": "sometimes"}, "tool_choice"),
        (
            {"tools": [GO], "tool_choice": {"type": "function", "function": {"name": "stop"}}},
            "tool_choice",
        ),
        ({"functions": [{"name": "go"}]}, "functions"),
        ({"function_call": {"name": "go"}}, "function_call"),
        ({"messages": [USER, {"role": "tool", "content": "3"}]}, "messages[1].tool_call_id"),
        ({"messages": [{**USER, "tool_calls": [{}]}]}, "messages[0].tool_calls"),
        ({"messages": [{"role": "assistant", "content": None}]}, "messages[0].content"),
        ({"chat_template_kwargs": {"messages": []}}, "chat_template_kwargs"),
    ],
)
async def test_what_cannot_be_called_is_refused_by_name(api, models, fields, param) -> None:
    status, body = await body_of(api, **fields)

    assert (status, body["error"]["param"]) == (400, param)
    assert models.requests == []
