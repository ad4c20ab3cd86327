"""The official client asks a vision-language model that is served in this process."""

import base64
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx2
import openai
import pytest
from django.core.asgi import get_asgi_application

from inference.client import close_client
from inference.in_process import ModelSpec, hold_model
from inference.messages import ImagePart
from tests.support.tiny_models import save_tiny_model
from tests.support.tiny_vision_models import picture, save_vision_model

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(scope="module")
def seer_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_vision_model(tmp_path_factory.mktemp("models") / "seer", "qwen2_vl")


@pytest.fixture
def seer(seer_folder: Path) -> Iterator[str]:
    """The name of a model that sees, held for one test."""
    with hold_model(ModelSpec(str(seer_folder), ("seer",), device="cpu"), say=str) as model:
        yield model.name


@pytest.fixture
async def client() -> AsyncIterator[openai.AsyncOpenAI]:
    transport = httpx2.ASGITransport(app=get_asgi_application())
    async with httpx2.AsyncClient(transport=transport) as http_client:
        yield openai.AsyncOpenAI(
            base_url="http://testserver/v1",
            api_key="EMPTY",
            max_retries=0,
            timeout=60,
            http_client=http_client,
            _strict_response_validation=True,
        )
    close_client()


def about(image: ImagePart, text: str = "What is it?") -> list[dict[str, Any]]:
    url = f"data:{image.media_type};base64,{base64.b64encode(image.data).decode()}"
    parts = [{"type": "image_url", "image_url": {"url": url}}, {"type": "text", "text": text}]
    return [{"role": "user", "content": parts}]


async def ask(client: openai.AsyncOpenAI, messages: list[dict[str, Any]], **fields: Any) -> Any:
    return await client.chat.completions.create(
        model="seer",
        messages=messages,
        temperature=0,
        max_tokens=12,
        extra_body={"ignore_eos": True},
        **fields,
    )


async def test_an_image_in_a_data_url_is_seen(seer, client):
    one, other, again = [await ask(client, about(picture(seed))) for seed in (1, 4, 1)]

    assert one.usage.completion_tokens == 12
    assert one.usage.prompt_tokens > len("What is it?")
    assert one.choices[0].message.content == again.choices[0].message.content
    assert one.choices[0].message.content != other.choices[0].message.content


async def test_a_stream_tells_the_same_as_a_whole_answer(seer, client):
    whole = await ask(client, about(picture(1)))

    stream = await ask(client, about(picture(1)), stream=True)
    text = "".join([chunk.choices[0].delta.content or "" async for chunk in stream])

    assert text == whole.choices[0].message.content


async def test_text_is_answered_by_the_same_model(seer, client):
    answer = await ask(client, [{"role": "user", "content": "Hello"}])

    assert answer.usage.completion_tokens == 12


async def test_bytes_that_are_no_image_are_a_400(seer, client):
    broken = ImagePart(b"nothing to see", "image/png")

    with pytest.raises(openai.BadRequestError, match="cannot be read as PNG"):
        await ask(client, about(broken))


async def test_a_text_model_refuses_images_with_a_400(client, tmp_path):
    folder = save_tiny_model(tmp_path / "blind")

    with (
        hold_model(ModelSpec(str(folder), ("seer",), device="cpu"), say=str),
        pytest.raises(openai.BadRequestError, match="takes no images"),
    ):
        await ask(client, about(picture(1)))
