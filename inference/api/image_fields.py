"""Images in the content of a message: `data:` URLs in OpenAI's parts of the type `image_url`."""

import base64
import binascii
import re
from typing import Any

from rest_framework import serializers

from inference.api import limits
from inference.conf import inference_settings
from inference.messages import IMAGE_MEDIA_TYPES, ImagePart

DATA_URL = re.compile(r"data:(?P<media_type>[\w/+.-]{1,64});base64,")
DETAILS = ("auto", "low", "high")

IMAGE_PART_SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["type", "image_url"],
    "properties": {
        "type": {"type": "string", "enum": ["image_url"]},
        "image_url": {
            "type": "object",
            "required": ["url"],
            "properties": {
                "url": {
                    "type": "string",
                    "maxLength": limits.MAX_BODY_BYTES,
                    "description": "data:image/png;base64,… (also jpeg, webp, gif); no address.",
                },
                "detail": {"type": "string", "enum": list(DETAILS)},
            },
        },
    },
}


def read_image(part: dict[str, Any]) -> ImagePart:
    """Return the image of an `image_url` part.

    Nothing is ever fetched: an address in a request would make this server knock on doors inside
    its own network. `detail` is accepted and changes nothing.

    Raises:
        ValidationError: it is no image in a `data:` URL, or larger than the settings allow.
    """
    place = part.get("image_url")
    url = place.get("url") if isinstance(place, dict) else None
    if not isinstance(place, dict) or not isinstance(url, str):
        raise serializers.ValidationError(
            "An image_url must be an object with a url.", code="invalid_type"
        )
    if place.get("detail") not in (None, *DETAILS):
        raise serializers.ValidationError(
            f"The detail of an image must be one of {', '.join(DETAILS)}.", code="invalid_choice"
        )
    if url[:8].lower().startswith(("http:", "https:")):
        raise serializers.ValidationError(
            "This server fetches no images; send the image itself as a data: URL.",
            code="unsupported_value",
        )
    head = DATA_URL.match(url)
    if head is None:
        raise serializers.ValidationError(
            "The url of an image must begin with data:, its type and ;base64,", code="invalid_image"
        )
    media_type = head["media_type"].lower()
    if media_type not in IMAGE_MEDIA_TYPES:
        raise serializers.ValidationError(
            f"Images can be {', '.join(IMAGE_MEDIA_TYPES)}.", code="unsupported_value"
        )
    return ImagePart(_decoded(url[head.end() :]), media_type)


def _decoded(text: str) -> bytes:
    """Return the bytes written in base64, unless they are too many."""
    limit_bytes = inference_settings().image_bytes
    too_large = serializers.ValidationError(
        f"An image may have at most {limit_bytes} bytes.", code="image_too_large"
    )
    if len(text) > -(-limit_bytes // 3) * 4:
        raise too_large
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):  # the latter for letters beyond ASCII
        data = b""
    if not data:
        raise serializers.ValidationError(
            "The data of an image must be base64.", code="invalid_image"
        )
    if len(data) > limit_bytes:
        raise too_large
    return data
