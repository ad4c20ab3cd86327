"""Tokens over the API, with the tokenizer of a small real model."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.core.cache import cache
from django.test import AsyncClient

from inference.api import limits
from inference.demo_models import demo_model_folders
from inference.in_process import ModelSpec, hold_model
from inference.models import LanguageModel

NAME = "demo-small"
TEXT = "Good day, 世界!"
HELLO = [{"role": "user", "content": "Hi"}]


@pytest.fixture(scope="module")
def held() -> Iterator[None]:
    spec = ModelSpec(
        str(demo_model_folders()[NAME]),
        (NAME,),
        device="cpu",
        engine_options={"kv_cache_bytes": 20_000_000},
    )
    with hold_model(spec, say=lambda _: None):
        yield


@pytest.fixture
def api(held: None, transactional_db: None) -> AsyncClient:
    cache.clear()
    return AsyncClient()


async def post(api: AsyncClient, path: str, **body: Any) -> Any:
    """POST a body and return the response."""
    return await api.post(path, data={"model": NAME} | body, content_type="application/json")


async def test_a_text_is_cut_into_tokens_and_put_together_again(api):
    cut = (await post(api, "/tokenize", prompt=TEXT, add_special_tokens=False)).json()
    whole = (await post(api, "/detokenize", tokens=cut["tokens"])).json()

    assert cut["count"] == len(cut["tokens"]) > 3
    assert cut["max_model_len"] >= 256
    assert cut["token_strs"] is None
    assert whole == {"prompt": TEXT}


async def test_tokens_can_be_told_as_text(api):
    cut = await post(api, "/tokenize", prompt="Good day", return_token_strs=True)

    assert "Good day" in "".join(cut.json()["token_strs"])


async def test_a_conversation_is_cut_as_the_model_reads_it(api):
    bare = (await post(api, "/tokenize", prompt="Hi")).json()
    dressed = (await post(api, "/tokenize", messages=HELLO)).json()

    assert dressed["count"] > bare["count"]


async def test_prompts_are_checked_against_the_window(api):
    window = (await post(api, "/tokenize", prompt="Hi")).json()["max_model_len"]
    count = (await post(api, "/tokenize", prompt="Hi")).json()["count"]
    prompts = [
        {"model": NAME, "prompt": "Hi", "max_tokens": window - count},
        {"model": NAME, "prompt": "Hi", "max_tokens": window - count + 1},
    ]

    response = await post(api, "/api/v1/token_check", prompts=prompts)

    counts = {"tokenCount": count, "contextLength": window}
    assert response.json() == {
        "prompts": [{"fits": True} | counts, {"fits": False} | counts],
    }


@pytest.mark.parametrize(
    ("path", "param", "fields"),
    [
        ("/tokenize", "prompt", {}),
        ("/tokenize", "prompt", {"prompt": "Hi", "messages": HELLO}),
        ("/tokenize", "prompt", {"prompt": 1}),
        ("/tokenize", "prompt", {"prompt": "x" * (limits.MAX_PROMPT_CHARS + 1)}),
        ("/tokenize", "messages[0].role", {"messages": [{"role": "x", "content": "Hi"}]}),
        (
            "/tokenize",
            "add_generation_prompt",
            {"messages": HELLO, "add_generation_prompt": False},
        ),
        ("/detokenize", "tokens", {}),
        ("/detokenize", "tokens", {"tokens": ["a"]}),
        ("/detokenize", "tokens", {"tokens": [-1]}),
        ("/detokenize", "tokens", {"tokens": [1] * (limits.MAX_PROMPT_TOKENS + 1)}),
        ("/api/v1/token_check", "prompts", {"prompts": []}),
        ("/api/v1/token_check", "prompts[0].prompt", {"prompts": [{"model": NAME}]}),
    ],
)
async def test_a_bad_field_is_named_in_a_400(api, path, param, fields):
    response = await post(api, path, **fields)

    assert response.status_code == 400
    assert response.json()["error"]["param"] == param


async def test_a_token_the_model_lacks_is_refused(api):
    response = await post(api, "/detokenize", tokens=[2**31 - 1])

    assert response.status_code == 400
    assert response.json()["error"]["code"] == "invalid_request"


async def test_an_unknown_model_is_a_404(api):
    response = await api.post(
        "/tokenize", data={"model": "dodo", "prompt": "Hi"}, content_type="application/json"
    )

    assert response.status_code == 404


async def test_a_hidden_model_is_checked_for_nobody(api):
    await LanguageModel.objects.acreate(name=NAME, is_listed=False)
    prompts = [{"model": NAME, "prompt": "Hi", "max_tokens": 1}]

    checked = await post(api, "/api/v1/token_check", prompts=prompts)
    cut = await post(api, "/tokenize", prompt="Hi")

    assert (checked.status_code, cut.status_code) == (404, 404)
