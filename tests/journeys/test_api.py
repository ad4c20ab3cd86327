"""A program written for OpenAI works against this site."""

import openai
import pytest

from tests.support.site import Site

pytestmark = pytest.mark.services


@pytest.fixture
def client(site: Site) -> openai.OpenAI:
    return openai.OpenAI(
        base_url=f"{site.address}/v1",
        api_key=site.manage("create_api_key", "journey", "--quiet").strip(),
        max_retries=0,
        _strict_response_validation=True,
    )


def test_the_official_client_lists_the_demo_models(client: openai.OpenAI):
    names = {model.id for model in client.models.list()}

    assert {"demo-small", "demo-large"} <= names


def test_the_official_client_streams_with_usage(client: openai.OpenAI):
    chunks = list(
        client.chat.completions.create(
            model="demo-large",
            messages=[{"role": "user", "content": "What is the capital of France?"}],
            stream=True,
            temperature=0,
            stream_options={"include_usage": True},
        )
    )

    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert "Paris" in text
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.completion_tokens > 0


def test_streamed_and_whole_answers_are_the_same(client: openai.OpenAI):
    question = [{"role": "user", "content": "What is 3 plus 4?"}]
    whole = client.chat.completions.create(model="demo-large", messages=question, temperature=0)
    chunks = client.chat.completions.create(
        model="demo-large", messages=question, temperature=0, stream=True
    )

    streamed = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert streamed == whole.choices[0].message.content


def test_an_unknown_model_is_a_404_in_the_envelope(client: openai.OpenAI):
    with pytest.raises(openai.NotFoundError) as caught:
        client.chat.completions.create(
            model="no-such-model", messages=[{"role": "user", "content": "Hello"}]
        )

    assert caught.value.code == "model_not_found"
