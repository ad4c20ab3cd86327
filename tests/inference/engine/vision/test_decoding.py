"""Image files: what they hold decides, and what might fill the memory is refused unread."""

import struct
import zlib
from io import BytesIO

import pytest
from PIL import Image

from inference.engine.vision.decoding import MAX_IMAGE_PIXELS, decode_image
from inference.exceptions import InvalidRequestError
from inference.messages import ImagePart
from tests.support.tiny_vision_models import picture

ORIENTATION_TAG = 0x0112
ON_ITS_SIDE = 6


def file_of(image: Image.Image, kind: str = "PNG", **options: object) -> ImagePart:
    file = BytesIO()
    image.save(file, kind, **options)
    return ImagePart(file.getvalue(), "image/png")


def png_that_claims(width: int, height: int) -> bytes:
    """The header of a PNG with hardly anything behind it."""

    def chunk(name: bytes, data: bytes) -> bytes:
        checksum = struct.pack(">I", zlib.crc32(name + data))
        return struct.pack(">I", len(data)) + name + data + checksum

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    pixels = zlib.compress(b"\0" * 100)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF"])
def test_the_four_kinds_are_read_whatever_they_are_called(kind):
    data = picture(1, width=30, height=20, kind=kind).data

    image = decode_image(ImagePart(data, "image/webp"))

    assert (image.size, image.mode) == ((30, 20), "RGB")


def test_other_kinds_stay_shut():
    file = BytesIO()
    Image.new("RGB", (4, 4)).save(file, "TIFF")

    with pytest.raises(InvalidRequestError, match="cannot be read as PNG, JPEG, WebP or GIF"):
        decode_image(ImagePart(file.getvalue(), "image/png"))


def test_what_is_transparent_becomes_white():
    clear = Image.new("RGBA", (2, 2), (255, 0, 0, 0))

    image = decode_image(file_of(clear))

    assert image.getpixel((0, 0)) == (255, 255, 255)


def test_a_photograph_taken_sideways_is_set_upright():
    exif = Image.Exif()
    exif[ORIENTATION_TAG] = ON_ITS_SIDE
    part = file_of(Image.new("RGB", (30, 20)), "JPEG", exif=exif)

    assert decode_image(part).size == (20, 30)


def test_of_a_moving_image_the_first_picture_is_taken():
    red, blue = (Image.new("RGB", (4, 4), colour) for colour in ("red", "blue"))
    part = file_of(red, "GIF", save_all=True, append_images=[blue])

    assert decode_image(part).getpixel((0, 0)) == (255, 0, 0)


@pytest.mark.parametrize("side", [6_000, 12_000, 60_000])
def test_an_image_that_claims_too_many_pixels_is_refused_by_its_header(side):
    part = ImagePart(png_that_claims(side, side), "image/png")

    with pytest.raises(InvalidRequestError, match=f"{MAX_IMAGE_PIXELS} in all") as refusal:
        decode_image(part)

    assert refusal.value.param == "messages"


def test_the_limit_itself_is_allowed():
    assert decode_image(picture(1, width=30, height=20), max_pixels=600).size == (30, 20)
    with pytest.raises(InvalidRequestError, match="30 x 20 pixels; 599"):
        decode_image(picture(1, width=30, height=20), max_pixels=599)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF"])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_a_file_cut_off_is_refused_in_words(kind, share):
    data = picture(1, width=300, height=200, kind=kind).data
    part = ImagePart(data[: int(len(data) * share)], "image/png")

    with pytest.raises(InvalidRequestError, match="an image"):
        decode_image(part)


def test_bytes_that_are_no_image_are_refused():
    with pytest.raises(InvalidRequestError, match="cannot be read"):
        decode_image(ImagePart(b"<svg onload=alert(1)>", "image/png"))
