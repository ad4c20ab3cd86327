"""Vectors over the API: their shapes, and what is refused."""

import base64
from typing import Any

import numpy as np
import pytest

from inference import client
from inference.api import limits
from inference.client import Embeddings
from inference.generation import Usage
from inference.requests import EmbeddingRequest

VECTORS = np.array([[3, 4, 0], [0, 0, 5]], dtype=np.float32) / 5


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[EmbeddingRequest]:
    """What the model was asked; it answers with `VECTORS`."""
    requests: list[EmbeddingRequest] = []

    async def embed(request: EmbeddingRequest) -> Embeddings:
        requests.append(request)
        return Embeddings(VECTORS[: len(request.texts)], Usage(7, 0))

    monkeypatch.setattr(client, "embed", embed)
    return requests


async def embed(api, path: str = "/v1/embeddings", **fields: Any) -> Any:
    """POST a request for vectors and return the response."""
    body = {"model": "parrot", "input": ["a", "b"]} | fields
    return await api.post(path, data=body, content_type="application/json")


async def test_vectors_come_in_the_order_of_the_texts(api, asked):
    response = await embed(api)

    body = response.json()
    assert [entry["index"] for entry in body["data"]] == [0, 1]
    assert np.allclose([entry["embedding"] for entry in body["data"]], VECTORS)
    assert body["usage"] == {"prompt_tokens": 7, "total_tokens": 7}
    assert body["model"] == "parrot"
    assert response.headers["x-request-id"].startswith("req_")


async def test_base64_holds_little_endian_float32(api, asked):
    response = await embed(api, encoding_format="base64")

    raw = base64.b64decode(response.json()["data"][0]["embedding"])
    assert np.frombuffer(raw, dtype="<f4").tolist() == VECTORS[0].tolist()


async def test_fewer_dimensions_have_length_one_again(api, asked):
    response = await embed(api, dimensions=2)

    vectors = [entry["embedding"] for entry in response.json()["data"]]
    assert np.allclose(vectors, [[0.6, 0.8], [0, 0]])  # nothing is left of the second


async def test_more_dimensions_than_there_are_is_a_400(api, asked):
    response = await embed(api, dimensions=4)

    assert response.status_code == 400
    assert response.json()["error"]["param"] == "dimensions"


@pytest.mark.parametrize(
    ("fields", "truncates", "splits"),
    [
        ({}, False, True),
        ({"truncate": True}, True, False),
        ({"truncate": False}, False, False),
        ({"truncate_prompt_tokens": -1}, True, False),
    ],
)
async def test_long_texts_are_split_cut_or_refused(api, asked, fields, truncates, splits):
    await embed(api, **fields)

    assert (asked[0].truncates, asked[0].splits) == (truncates, splits)


@pytest.mark.parametrize(
    ("given", "texts"),
    [("a", ("a",)), ([1, 2], ((1, 2),)), ([[1], [2, 3]], ((1,), (2, 3)))],
)
async def test_texts_come_as_text_or_tokens(api, asked, given, texts):
    response = await embed(api, input=given)

    assert response.status_code == 200
    assert asked[0].texts == texts


async def test_the_address_may_name_the_model(api, asked):
    response = await embed(api, "/v1/engines/parrot/embeddings", model="another")

    assert response.status_code == 200
    assert asked[0].model == "parrot"


@pytest.mark.parametrize(
    ("param", "fields"),
    [
        ("model", {"model": None}),
        ("input", {"input": []}),
        ("input", {"input": ""}),
        ("input", {"input": ["a", ""]}),
        ("input", {"input": [[]]}),
        ("input", {"input": ["a", 1]}),
        ("input", {"input": {"a": 1}}),
        ("input", {"input": ["a"] * (limits.MAX_EMBEDDING_INPUTS + 1)}),
        ("input", {"input": "x" * (limits.MAX_EMBEDDING_CHARS + 1)}),
        ("input", {"input": [1] * (limits.MAX_EMBEDDING_TOKENS + 1)}),
        ("encoding_format", {"encoding_format": "int8"}),
        ("dimensions", {"dimensions": 0}),
        ("dimensions", {"dimensions": 65_537}),
        ("dimensions", {"dimensions": "8"}),
        ("truncate", {"truncate": "END"}),
        ("truncate_prompt_tokens", {"truncate_prompt_tokens": 5}),
        ("truncate_prompt_tokens", {"truncate_prompt_tokens": -1, "truncate": False}),
    ],
)
async def test_a_bad_field_is_named_in_a_400(api, asked, param, fields):
    response = await embed(api, **fields)

    error = response.json()["error"]
    assert response.status_code == 400
    assert (error["param"], error["type"]) == (param, "invalid_request_error")
    assert asked == []
