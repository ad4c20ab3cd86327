"""What holds at every address that takes a body: the key, the envelope, the id, hostile bodies."""

import json

import pytest

from inference.api import limits

ADDRESSES = [
    "/v1/chat/completions",
    "/api/v1/chat/completions",
    "/v1/completions",
    "/v1/embeddings",
    "/v1/engines/parrot/embeddings",
    "/v1/moderations",
    "/tokenize",
    "/detokenize",
    "/api/v1/token_check",
]
HOSTILE = {
    "nan": b'{"model": NaN}',
    "utf-8": b'{"model": "\xff"}',
    "brackets": b"[" * 1_000_000,
    "depth": b'{"prompt":' * 1_000 + b"1" + b"}" * 1_000,
    "digits": b'{"n": ' + b"9" * 5_000 + b"}",
    "nothing": b"",
    "list": b"[]",
    "no fields": b"{}",
    "wrong types": b'{"model": [], "messages": {}, "prompt": {}, "input": {}, "tokens": {},'
    b' "prompts": {}}',
}


@pytest.mark.parametrize("address", ADDRESSES)
async def test_a_key_is_asked_for_where_one_is_required(api, inference_setting, address):
    inference_setting(api_requires_key=True)

    response = await api.post(address, data={}, content_type="application/json")

    assert response.status_code == 401
    assert response.json()["error"]["code"] == "missing_api_key"
    assert response.headers["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize("address", ADDRESSES)
@pytest.mark.parametrize("body", HOSTILE.values(), ids=HOSTILE.keys())
async def test_a_hostile_body_is_a_400_in_the_envelope(api, models, address, body):
    response = await api.post(address, data=body, content_type="application/json")

    assert response.status_code == 400
    assert response.json()["error"].keys() == {"message", "type", "param", "code"}
    assert response.headers["x-request-id"].startswith("req_")
    assert models.requests == []


@pytest.mark.parametrize("address", ADDRESSES)
async def test_other_bodies_and_methods_have_their_statuses(api, address):
    huge = json.dumps({"user": "x" * limits.MAX_BODY_BYTES})

    text = await api.post(address, data="x", content_type="text/plain")
    long = await api.post(address, data=huge, content_type="application/json")
    got = await api.get(address)

    assert [response.status_code for response in (text, long, got)] == [415, 413, 405]
