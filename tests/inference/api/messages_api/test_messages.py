"""Anthropic's protocol: what comes back, whole and in events, and what is refused."""

import json
from typing import Any

import pytest

from inference import client
from inference.client import Tokens
from inference.exceptions import QueueFullError
from inference.generation import Delta, Failure, FinishReason, Usage
from inference.messages import ImagePart, Message, Role, ToolCall
from inference.requests import TokensRequest
from tests.inference.api.conftest import events_of
from tests.inference.api.test_keys import amade
from tests.support.canned_client import CannedClient, spoken

WEATHER = {
    "name": "weather",
    "description": "Tells the weather.",
    "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}},
}
CALL = '<tool_call>\n{"name": "weather", "arguments": {"city": "Ulm"}}\n</tool_call>'
HELLO = [{"role": "user", "content": "Hi"}]


async def ask(api, path: str = "/v1/messages", *, key: str = "", **fields: Any) -> Any:
    """POST a request that is fine, with these fields changed."""
    body = {"model": "parrot", "max_tokens": 9, "messages": HELLO} | fields
    headers = {"x-api-key": key} if key else {}
    return await api.post(path, data=body, content_type="application/json", headers=headers)


async def events(response: Any) -> list[dict[str, Any]]:
    """Return the events of a stream; each is named as its data is."""
    told = []
    for event in await events_of(response):
        name, data = event.split(b"\n")
        told.append(json.loads(data.removeprefix(b"data: ")))
        assert name.decode() == f"event: {told[-1]['type']}"
    return told


async def test_a_conversation_is_answered(api, models: CannedClient):
    usage = Usage(prompt_tokens=9, completion_tokens=2, cached_tokens=4)
    models.answers["parrot"] = [
        Delta(seq=0, pieces=("Hel", "lo")),
        Delta(seq=2, finish_reason=FinishReason.STOP, usage=usage),
    ]

    response = await ask(
        api, system="Be brief.", stop_sequences=["!"], temperature=0.5, metadata={"user_id": "u"}
    )

    body = response.json()
    assert (body["type"], body["role"], body["model"]) == ("message", "assistant", "parrot")
    assert body["content"] == [{"type": "text", "text": "Hello", "citations": None}]
    assert (body["stop_reason"], body["stop_sequence"]) == ("end_turn", None)
    assert body["usage"] == {
        "input_tokens": 5,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 4,
        "output_tokens": 2,
    }
    assert response.headers["x-request-id"].startswith("req_")
    (asked,) = models.requests
    assert asked.messages == (Message(Role.SYSTEM, "Be brief."), Message(Role.USER, "Hi"))
    assert (asked.params.max_tokens, asked.params.stop) == (9, ("!",))


async def test_blocks_of_every_kind_become_a_conversation(api, models: CannedClient):
    image = {"type": "base64", "media_type": "image/png", "data": "aGVsbG8="}
    await ask(
        api,
        system=[{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}],
        messages=[
            {
                "role": "user",
                "content": [{"type": "image", "source": image}, {"type": "text", "text": "Look"}],
            },
            {
                "role": "assistant",
                "content": [
                    {"type": "thinking", "thinking": "hm", "signature": "s"},
                    {"type": "text", "text": "I ask."},
                    {"type": "tool_use", "id": "t1", "name": "weather", "input": {"city": "Ulm"}},
                ],
            },
            {
                "role": "user",
                "content": [
                    {"type": "tool_result", "tool_use_id": "t1", "content": "rain"},
                    {"type": "text", "text": "So?"},
                ],
            },
        ],
        tools=[WEATHER],
    )

    _, user, assistant, tool, last = models.requests[0].messages
    assert user.images == (ImagePart(b"hello", "image/png"),)
    assert assistant.tool_calls == (ToolCall("t1", "weather", '{"city": "Ulm"}'),)
    assert assistant.content == "I ask."
    assert tool == Message(Role.TOOL, "rain", tool_call_id="t1", name="weather")
    assert last == Message(Role.USER, "So?")


async def test_a_stream_tells_its_events_in_order(api):
    told = await events(await ask(api, stream=True))

    assert [event["type"] for event in told] == [
        "message_start",
        "content_block_start",
        *["content_block_delta"] * 3,
        "content_block_stop",
        "message_delta",
        "message_stop",
    ]
    assert told[0]["message"]["content"] == []
    assert "".join(event["delta"]["text"] for event in told[2:5]) == "Hello 世界"
    assert told[-2]["delta"]["stop_reason"] == "end_turn"
    assert (told[-2]["usage"]["input_tokens"], told[-2]["usage"]["output_tokens"]) == (5, 3)


async def test_functions_are_called_whole_and_streamed(api, models: CannedClient):
    models.answers["parrot"] = spoken("I look. ", *CALL, "\n", *CALL)

    whole = (await ask(api, tools=[WEATHER])).json()
    told = await events(await ask(api, tools=[WEATHER], stream=True))

    assert [block["type"] for block in whole["content"]] == ["text", "tool_use", "tool_use"]
    assert whole["content"][1]["input"] == {"city": "Ulm"}
    assert whole["stop_reason"] == told[-2]["delta"]["stop_reason"] == "tool_use"
    starts = [event for event in told if event["type"] == "content_block_start"]
    assert [start["index"] for start in starts] == [0, 1, 2]
    pieces = [
        event["delta"]["partial_json"]
        for event in told
        if event.get("index") == 2 and event["type"] == "content_block_delta"
    ]
    assert json.loads("".join(pieces)) == {"city": "Ulm"}


@pytest.mark.parametrize(
    ("choice", "most"),
    [
        ({"type": "any"}, 8),
        ({"type": "any", "disable_parallel_tool_use": True}, 1),
        ({"type": "tool", "name": "weather"}, 1),
    ],
)
async def test_a_demanded_call_is_a_grammar(api, models: CannedClient, choice, most):
    models.answers["parrot"] = spoken(CALL)

    await ask(api, tools=[WEATHER], tool_choice=choice)

    grammar = models.requests[0].params.grammar
    assert grammar is not None
    assert (grammar["type"], grammar["most"]) == ("calls", most)


async def test_an_answer_cut_by_its_limit_says_so(api, models: CannedClient):
    models.answers["parrot"] = spoken("Hel", reason=FinishReason.LENGTH)

    assert (await ask(api)).json()["stop_reason"] == "max_tokens"


async def test_a_break_in_the_stream_is_an_error_event(api, models: CannedClient):
    broken = Failure(code="worker_lost", message="the worker is gone")
    models.answers["parrot"] = [
        Delta(seq=0, pieces=("Hel",)),
        Delta(seq=1, finish_reason=FinishReason.ERROR, failure=broken),
    ]

    told = await events(await ask(api, stream=True))

    error = {"type": "overloaded_error", "message": "the worker is gone"}
    assert told[-1] == {"type": "error", "error": error}


async def test_a_key_comes_by_its_own_header(api, inference_setting):
    inference_setting(api_requires_key=True)

    without = await ask(api)
    with_key = await ask(api, key=await amade())

    assert (without.status_code, with_key.status_code) == (401, 200)
    assert without.json()["error"]["type"] == "authentication_error"


async def test_errors_have_the_protocols_envelope(api, models: CannedClient):
    missing = await ask(api, model="dodo")
    models.answers["parrot"] = [QueueFullError("parrot", retry_after_s=3)]
    full = await ask(api)

    assert (missing.status_code, full.status_code) == (404, 429)
    assert missing.json()["type"] == full.json()["type"] == "error"
    assert missing.json()["error"]["type"] == "not_found_error"
    assert full.json()["error"]["type"] == "rate_limit_error"
    assert full.headers["Retry-After"] == "3"


def turn(*blocks: Any, role: str = "user") -> list[dict[str, Any]]:
    return [{"role": role, "content": list(blocks)}]


ADDRESS = {"type": "url", "url": "http://localhost/a.png"}


@pytest.mark.parametrize(
    ("fields", "place"),
    [
        ({"max_tokens": None}, "max_tokens"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"temperature": 3}, "temperature"),
        ({"messages": []}, "messages"),
        ({"messages": [{"role": "system", "content": "x"}]}, "messages[0].role"),
        ({"messages": [{"role": "user", "content": 7}]}, "messages[0].content"),
        ({"messages": turn({"type": "document"})}, "messages[0].content[0]"),
        (
            {"messages": turn({"type": "image", "source": ADDRESS})},
            "messages[0].content[0].source",
        ),
        (
            {"messages": turn({"type": "tool_result", "tool_use_id": "t"})},
            "messages[0].content",
        ),
        (
            {"messages": turn({"type": "tool_use", "id": "t", "name": "f"}, role="assistant")},
            "messages[0].content[0].input",
        ),
        ({"system": [{"type": "image"}]}, "system[0]"),
        ({"tools": [{"type": "web_search_20250305", "name": "web_search"}]}, "tools[0]"),
        ({"tool_choice": {"type": "any"}}, "tool_choice"),
        ({"tool_choice": "auto"}, "tool_choice"),
        ({"thinking": {"type": "enabled", "budget_tokens": 1024}}, "thinking"),
        ({"mcp_servers": [{"url": "x"}]}, "mcp_servers"),
        ({"n": 2}, "n"),
    ],
)
async def test_what_cannot_be_done_is_refused_by_name(api, fields, place):
    response = await ask(api, **fields)

    assert response.status_code == 400
    error = response.json()["error"]
    assert error["type"] == "invalid_request_error"
    assert error["message"].startswith(f"{place}: ")


async def test_tokens_are_counted(api, monkeypatch):
    asked = []

    async def tokenize(request: TokensRequest) -> Tokens:
        asked.append(request)
        return Tokens((1, 2, 3), ("a", "b", "c"), "abc", 64)

    monkeypatch.setattr(client, "tokenize", tokenize)

    response = await api.post(
        "/v1/messages/count_tokens",
        data={"model": "parrot", "messages": HELLO, "tools": [WEATHER]},
        content_type="application/json",
    )

    assert response.json() == {"input_tokens": 3}
    assert "weather" in asked[0].messages[0].content
