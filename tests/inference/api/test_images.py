"""Images in requests: only as data, only so many, and never fetched."""

import base64
import json
from typing import Any

import pytest

from inference.api import limits
from inference.conf import InferenceSettings
from inference.messages import ImagePart, TextPart
from inference.models import LanguageModel
from tests.inference.api.conftest import ask, events_of, question
from tests.support.tiny_vision_models import picture

CAT = picture(1)


def data_url(part: ImagePart = CAT) -> str:
    return f"data:{part.media_type};base64,{base64.b64encode(part.data).decode()}"


def image_part(url: Any = None, **fields: Any) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": url or data_url(), **fields}}


def asking(*parts: Any, role: str = "user") -> dict[str, Any]:
    return question(messages=[{"role": role, "content": list(parts)}])


async def test_text_and_images_reach_the_model_in_their_order(api, models):
    text = {"type": "text", "text": "What is it?"}

    response = await ask(api, asking(image_part(detail="high"), text, image_part()))

    assert response.status_code == 200
    (message,) = models.requests[0].messages
    assert message.parts == (CAT, TextPart("What is it?"), CAT)
    assert message.content == "What is it?"


async def test_a_stream_takes_images_too(api, models):
    response = await ask(api, asking(image_part()) | {"stream": True})

    assert (await events_of(response))[-1] == b"data: [DONE]"
    assert models.requests[0].messages[0].images == (CAT,)


async def test_texts_in_parts_are_one_text_as_before(api, models):
    await ask(api, asking({"type": "text", "text": "one"}, {"type": "text", "text": "two"}))

    (message,) = models.requests[0].messages
    assert (message.content, message.parts) == ("one\ntwo", ())


@pytest.mark.parametrize(
    ("part", "code"),
    [
        (image_part("https://example.org/cat.png"), "unsupported_value"),
        (image_part("HTTP://169.254.169.254/latest/meta-data"), "unsupported_value"),
        (image_part("file:///etc/passwd"), "invalid_image"),
        (image_part("data:image/png,raw"), "invalid_image"),
        (image_part("data:image/svg+xml;base64,PHN2Zy8+"), "unsupported_value"),
        (image_part("data:image/png;base64,no base64!"), "invalid_image"),
        (image_part("data:image/png;base64,"), "invalid_image"),
        (image_part(detail="telescope"), "invalid_choice"),
        ({"type": "image_url", "image_url": data_url()}, "invalid_type"),
        ({"type": "image_url"}, "invalid_type"),
        ({"type": "image_url", "image_url": {"url": 3}}, "invalid_type"),
        (
            {"type": "input_audio", "input_audio": {"data": "x", "format": "wav"}},
            "unsupported_value",
        ),
        ("just a string", "unsupported_value"),
    ],
)
async def test_what_is_no_image_is_refused_by_name(api, models, part, code):
    response = await ask(api, asking({"type": "text", "text": "Hi"}, part))

    error = response.json()["error"]
    assert response.status_code == 400
    assert (error["param"], error["code"]) == ("messages[0].content", code)
    assert models.requests == []


async def test_addresses_are_refused_with_the_way_out(api):
    response = await ask(api, asking(image_part("https://example.org/cat.png")))

    assert "data: URL" in response.json()["error"]["message"]


@pytest.mark.parametrize("role", ["system", "assistant"])
async def test_only_users_show_images(api, role):
    response = await ask(api, asking(image_part(), role=role))

    assert response.status_code == 400
    assert "Only messages of the user" in response.json()["error"]["message"]


async def test_images_are_counted_over_all_messages(api, inference_setting):
    inference_setting(images_per_request=2)
    body = asking(image_part())
    body["messages"] *= 3

    response = await ask(api, body)

    assert response.status_code == 400
    assert response.json()["error"]["code"] == "too_many_images"


async def test_an_image_too_large_is_refused_before_it_is_decoded(api, inference_setting):
    inference_setting(image_bytes=len(CAT.data) - 1)

    response = await ask(api, asking(image_part()))

    assert response.status_code == 400
    assert response.json()["error"]["code"] == "image_too_large"


async def test_an_image_of_just_the_limit_is_taken(api, inference_setting):
    inference_setting(image_bytes=len(CAT.data))

    assert (await ask(api, asking(image_part()))).status_code == 200


async def test_a_body_has_room_for_a_photograph_of_the_limit(api, models):
    photograph = ImagePart(b"\xff\xd8" + b"x" * (InferenceSettings().image_bytes - 2), "image/jpeg")
    body = json.dumps(asking(image_part(data_url(photograph))))

    response = await ask(api, json.loads(body))

    assert len(body) < limits.MAX_BODY_BYTES
    assert response.status_code == 200
    assert models.requests[0].messages[0].images == (photograph,)


async def test_the_schema_knows_images(api):
    schema = json.loads((await api.get("/api/schema/", {"format": "json"})).content)

    content = schema["components"]["schemas"]["Message"]["properties"]["content"]
    kinds = [part["properties"]["type"]["enum"] for part in content["oneOf"][1]["items"]["oneOf"]]
    assert kinds == [["text"], ["image_url"]]


async def test_the_list_of_models_tells_which_take_images(api, models):
    models.answers["owl"] = models.answers["dodo"] = []
    await LanguageModel.objects.acreate(name="owl", takes_images=True)
    await LanguageModel.objects.acreate(name="parrot")

    listed = {model["id"]: model for model in (await api.get("/v1/models")).json()["data"]}

    assert listed["owl"]["modalities"] == ["text", "image"]
    assert listed["parrot"]["modalities"] == ["text"]
    assert "modalities" not in listed["dodo"]  # nobody knows: it has no card
