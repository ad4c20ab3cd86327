import json

import pytest

from inference.api import limits
from inference.api.unsupported import IGNORED
from tests.inference.api.conftest import ask, question

MESSAGE = {"role": "user", "content": "Hi"}
ELSEWHERE = {
    "token_id",
    "logit_bias",
    "logprobs",
    "top_logprobs",
    "best_of",
    "completion_max_tokens",
    "dimensions",
}
CHAT_RANGES = limits.RANGES.keys() - ELSEWHERE

BAD_FIELDS = [
    ("model", {"model": None}),
    ("model", {"model": 7}),
    ("model", {"model": "m" * (limits.MAX_MODEL_NAME_CHARS + 1)}),
    ("messages", {"messages": []}),
    ("messages", {"messages": "Hi"}),
    ("messages", {"messages": [MESSAGE] * (limits.MAX_MESSAGES + 1)}),
    (
        "messages",
        {"messages": [MESSAGE | {"content": "x" * (limits.MAX_PROMPT_CHARS // 2 + 1)}] * 2},
    ),
    (
        "messages[0].content",
        {"messages": [MESSAGE | {"content": "x" * (limits.MAX_PROMPT_CHARS + 1)}]},
    ),
    ("messages[0].content", {"messages": [MESSAGE | {"content": "a\x00b"}]}),
    ("messages[1].role", {"messages": [MESSAGE, MESSAGE | {"role": "wizard"}]}),
    ("messages[0].role", {"messages": [MESSAGE | {"role": "wizard"}]}),
    ("messages[0].content", {"messages": [{"role": "user"}]}),
    ("messages[0].content", {"messages": [MESSAGE | {"content": None}]}),
    ("messages[0].content", {"messages": [MESSAGE | {"content": 3}]}),
    ("messages[0].content", {"messages": [MESSAGE | {"content": []}]}),
    ("messages[0].content", {"messages": [MESSAGE | {"content": [{"type": "image_url"}]}]}),
    ("messages[0].content", {"messages": [MESSAGE | {"content": [{"type": ["text"]}]}]}),
    ("messages[0].content", {"messages": [MESSAGE | {"content": "\ud800"}]}),
    ("messages[0].tool_calls", {"messages": [MESSAGE | {"tool_calls": [{}]}]}),
    ("temperature", {"temperature": 2.1}),
    ("temperature", {"temperature": "0.5"}),
    ("temperature", {"temperature": True}),
    ("temperature", {"temperature": 10**400}),
    ("top_p", {"top_p": 0}),
    ("top_k", {"top_k": 1.5}),
    ("n", {"n": 0}),
    ("n", {"n": 200_000}),
    ("max_tokens", {"max_tokens": 0}),
    ("max_tokens", {"max_tokens": 5, "max_completion_tokens": 6}),
    ("stop", {"stop": ["x"] * (limits.MAX_STOP_TEXTS + 1)}),
    ("stop", {"stop": ["x"] * 100_000}),
    ("stop", {"stop": "x" * (limits.MAX_STOP_CHARS + 1)}),
    ("stop", {"stop": [""]}),
    ("stop", {"stop": [1]}),
    ("stop_token_ids", {"stop_token_ids": [1] * (limits.MAX_STOP_TOKEN_IDS + 1)}),
    ("stop_token_ids[0]", {"stop_token_ids": [-1]}),
    ("seed", {"seed": 2**63}),
    ("stream", {"stream": "yes"}),
    ("stream_options", {"stream_options": {"include_usage": True}}),
    ("stream_options", {"stream": True, "stream_options": []}),
    ("stream_options.include_usage", {"stream": True, "stream_options": {"include_usage": 1}}),
    ("tools", {"tools": [{"type": "function"}]}),
    ("tool_choice", {"tool_choice": "required"}),
    ("logprobs", {"logprobs": 1}),
    ("top_logprobs", {"logprobs": True, "top_logprobs": 21}),
    ("top_logprobs", {"top_logprobs": 1}),
    ("logit_bias", {"logit_bias": {"7": 101}}),
    ("logit_bias", {"logit_bias": {"seven": 1}}),
    ("logit_bias", {"logit_bias": {str(token): 1 for token in range(1025)}}),
    ("logit_bias", {"logit_bias": [7]}),
    ("response_format", {"response_format": {"type": "xml"}}),
    ("response_format", {"response_format": {"type": "json_schema"}}),
    ("audio", {"audio": {}}),
]


@pytest.mark.parametrize(("param", "fields"), BAD_FIELDS)
async def test_a_bad_field_is_named_in_a_400(api, models, param, fields):
    response = await ask(api, question(**fields))

    error = response.json()["error"]
    assert response.status_code == 400
    assert error["param"] == param
    assert error["type"] == "invalid_request_error"
    assert error["message"].startswith(f"{param}: ")
    assert models.requests == []


@pytest.mark.parametrize("field", sorted(CHAT_RANGES))
async def test_a_number_outside_its_range_is_refused_and_its_ends_are_not(api, field):
    lowest, highest = limits.RANGES[field]

    assert (await ask(api, question(**{field: lowest}))).status_code == 200
    assert (await ask(api, question(**{field: highest}))).status_code == 200
    assert (await ask(api, question(**{field: lowest - 1}))).status_code == 400
    assert (await ask(api, question(**{field: highest + 1}))).status_code == 400


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b'"text"',
        b'{"model": NaN}',
        b'{"model": "\xff"}',
        b"[" * 1_000_000,
        b'{"a":' * 100 + b"1" + b"}" * 100,
        b'{"seed": ' + b"9" * 5000 + b"}",
    ],
    ids=["empty", "cut", "list", "text", "nan", "utf-8", "brackets", "depth", "digits"],
)
async def test_a_body_that_is_no_good_json_is_a_400(api, body):
    response = await ask(api, body)

    assert response.status_code == 400
    assert response.json()["error"]["type"] == "invalid_request_error"


async def test_a_body_over_the_limit_is_a_413(api):
    body = json.dumps(question(user="x" * limits.MAX_BODY_BYTES)).encode()

    response = await ask(api, body)

    assert response.status_code == 413
    assert response.json()["error"]["code"] == "request_too_large"


async def test_another_media_type_is_a_415(api):
    response = await api.post("/v1/chat/completions", data="x", content_type="text/plain")

    assert response.status_code == 415
    assert response.json()["error"]["type"] == "invalid_request_error"


async def test_fields_that_change_nothing_are_accepted(api):
    ignored = {name: {"any": "thing"} for name in IGNORED - {"user"}}

    response = await ask(
        api,
        question(
            **ignored,
            tools=[],
            tool_choice="none",
            logprobs=False,
            response_format={"type": "text"},
            a_field_of_tomorrow=[1],
        ),
    )

    assert response.status_code == 200


@pytest.mark.parametrize("accept", ["text/event-stream", "application/json", "image/png"])
async def test_the_accept_header_decides_nothing(api, accept):
    response = await ask(api, accept=accept)

    assert response.status_code == 200


@pytest.mark.parametrize("path", ["/v1", "/v1/", "/v1/nothing", "/v1/chat/completions/x"])
@pytest.mark.parametrize("method", ["get", "post", "delete", "options"])
async def test_an_unknown_path_answers_in_the_envelope(api, path, method):
    response = await getattr(api, method)(path)

    assert response.status_code == 404
    assert response.json()["error"]["code"] == "unknown_url"
    assert response.headers["x-request-id"].startswith("req_")


async def test_another_method_is_a_405_in_the_envelope(api):
    response = await api.get("/v1/chat/completions")

    assert response.status_code == 405
    assert response.headers["Allow"] == "POST"
    assert response.json()["error"]["code"] == "method_not_allowed"


async def test_messages_stay_english_whatever_the_visitor_prefers(api):
    response = await ask(api, question(temperature=None, n="x"), **{"accept-language": "zh-hans"})

    assert "must be an integer" in response.json()["error"]["message"]


async def test_every_answer_has_an_id_of_its_own(api):
    first, second = await ask(api), await ask(api, question(n=0))

    assert first.headers["x-request-id"] != second.headers["x-request-id"]
