"""What `/v1/responses` refuses, by name."""

import json
from typing import Any

import pytest

from tests.inference.api.conftest import events_of
from tests.inference.api.responses.test_openai_client import PIXEL, WEATHER


async def refusal(api, **fields: Any) -> dict[str, Any]:
    """Return the error of a request with these fields."""
    body = {"model": "parrot", "input": "Hi"} | fields
    response = await api.post("/v1/responses", data=body, content_type="application/json")
    assert response.status_code == 400, response.content[:200]
    assert response.headers["x-request-id"].startswith("req_")
    return response.json()["error"]


def user(*parts: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"role": "user", "content": list(parts)}]


DEEP: dict[str, Any] = {"type": "object"}
for _ in range(20):
    DEEP = {"type": "object", "properties": {"a": DEEP}}


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"input": ""}, "input"),
        ({"input": []}, "input"),
        ({"input": 7}, "input"),
        ({"input": "x" * 600_000}, "input[0].content"),
        ({"input": [{"role": "user", "content": "x"}] * 2000}, "input"),
        ({"input": [{}]}, "input[0]"),
        ({"input": [{"type": "reasoning", "summary": []}]}, "input"),
        ({"input": [{"type": "item_reference", "id": "msg_1"}]}, "input[0]"),
        ({"input": [{"role": "king", "content": "x"}]}, "input[0].role"),
        ({"input": [{"role": "user", "content": None}]}, "input[0].content"),
        ({"input": user({"type": "input_file", "file_id": "f"})}, "input[0].content[0]"),
        (
            {"input": user({"type": "input_image", "image_url": "http://localhost/a.png"})},
            "input[0].content[0].image_url",
        ),
        (
            {
                "input": [
                    {
                        "role": "assistant",
                        "content": [{"type": "input_image", "image_url": PIXEL}],
                    }
                ]
            },
            "input[0].content",
        ),
        ({"input": [{"type": "function_call", "name": "f"}]}, "input[0].call_id"),
        ({"input": [{"type": "function_call_output", "call_id": "c", "output": "x"}]}, "input"),
        ({"background": True}, "background"),
        ({"conversation": "conv_1"}, "conversation"),
        ({"truncation": "auto"}, "truncation"),
        ({"reasoning": {"effort": "high"}}, "reasoning"),
        ({"messages": []}, "messages"),
        ({"max_tokens": 5}, "max_tokens"),
        ({"n": 2}, "n"),
        ({"max_output_tokens": 0}, "max_output_tokens"),
        ({"temperature": "hot"}, "temperature"),
        ({"stop": ["x"] * 100_000}, "stop"),
        ({"include": ["file_search_call.results"]}, "include[0]"),
        ({"metadata": {"a": 1}}, "metadata"),
        ({"tools": [{"type": "web_search"}]}, "tools[0]"),
        ({"tools": [WEATHER, WEATHER]}, "tools"),
        ({"tools": [WEATHER | {"parameters": DEEP}]}, "tools[0].function.parameters"),
        ({"tool_choice": "required"}, "tool_choice"),
        ({"tool_choice": {"type": "function", "name": "nobody"}}, "tool_choice"),
        ({"tool_choice": {"type": "web_search"}, "tools": [WEATHER]}, "tool_choice"),
        ({"text": {"format": {"type": "xml"}}}, "text.format"),
        (
            {"text": {"format": {"type": "json_schema", "name": "a", "schema": DEEP}}},
            "text.format.schema",
        ),
        ({"text": {"format": {"type": "json_object"}}, "tools": [WEATHER]}, "text"),
    ],
)
async def test_what_cannot_be_done_is_refused_by_name(api, fields, param):
    assert (await refusal(api, **fields))["param"] == param


async def test_a_conversation_too_large_to_keep_is_answered_and_not_kept(api):
    fields = {"model": "parrot", "input": "é" * 300_000}

    answered = await api.post("/v1/responses", data=fields, content_type="application/json")

    assert answered.json()["store"] is False
    assert (await refusal(api, input="é" * 300_000, store=True))["param"] == "store"


async def test_a_response_of_nobody_is_not_found(api):
    response = await api.get("/v1/responses/resp_0")

    assert response.status_code == 404
    assert response.json()["error"]["code"] == "response_not_found"


@pytest.mark.parametrize("is_streamed", [False, True])
async def test_what_no_wire_can_hold_breaks_nothing(api, is_streamed):
    odd = {"id": "\ud800", "size": 10**30, "role": "user", "content": "Hi"}
    fields = {"model": "parrot", "input": [odd], "tools": [WEATHER | {"note": "\ud800"}]}

    response = await api.post(
        "/v1/responses",
        data=json.dumps(fields | {"stream": is_streamed}),
        content_type="application/json",
    )

    assert response.status_code == 200
    if is_streamed:
        last = (await events_of(response))[-1].split(b"\ndata: ")[1]
        response_id = json.loads(last)["response"]["id"]
    else:
        response_id = response.json()["id"]
    assert (await api.get(f"/v1/responses/{response_id}")).status_code == 200
