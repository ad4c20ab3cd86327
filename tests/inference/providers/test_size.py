"""Requests larger than the bus should carry are refused at the door."""

import pytest

from inference.conf import InferenceSettings
from inference.exceptions import InvalidRequestError
from inference.generation import GenerationRequest
from inference.messages import ImagePart, Message, Role
from inference.providers.worker import check_size

SETTINGS = InferenceSettings(prompt_bytes=10, images_per_request=2, image_bytes=5)


def saying(text: str = "", *images: bytes) -> GenerationRequest:
    parts = [ImagePart(image, "image/png") for image in images]
    message = Message.of_parts(Role.USER, parts) if parts else Message(Role.USER, text)
    return GenerationRequest("m", (message,))


@pytest.mark.parametrize("request_", [saying("0123456789"), saying("", b"12345", b"1")])
def test_the_limits_themselves_are_allowed(request_: GenerationRequest) -> None:
    check_size(request_, SETTINGS)


@pytest.mark.parametrize(
    ("request_", "told"),
    [
        (GenerationRequest("m", ()), "no message"),
        (saying("012345678é"), "have 11 bytes, the limit is 10"),
        (saying("", b"1", b"2", b"3"), "3 images, the limit is 2"),
        (saying("", b"1", b"123456"), "an image has 6 bytes, the limit is 5"),
    ],
)
def test_what_is_beyond_them_is_refused_by_name(request_: GenerationRequest, told: str) -> None:
    with pytest.raises(InvalidRequestError, match=told) as refusal:
        check_size(request_, SETTINGS)

    assert refusal.value.param == "messages"
