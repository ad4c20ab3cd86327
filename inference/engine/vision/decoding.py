"""From the bytes of an image file to its pixels, whatever the bytes claim to be."""

import struct
from io import BytesIO

from PIL import Image, ImageOps

from inference.exceptions import InvalidRequestError
from inference.messages import ImagePart

FORMATS = ("PNG", "JPEG", "WEBP", "GIF")
"""Decoders that are tried; all others stay shut."""

MAX_IMAGE_PIXELS = 32_000_000
"""What a phone's camera takes. Its pixels fill 100 MB while they are prepared."""

BOMBS = (Image.DecompressionBombError, Image.DecompressionBombWarning)
BROKEN = (OSError, ValueError, SyntaxError, struct.error, EOFError, MemoryError)
"""What Pillow's decoders raise on files that are cut off or made to mislead."""


def decode_image(part: ImagePart, *, max_pixels: int = MAX_IMAGE_PIXELS) -> Image.Image:
    """Return the pixels: upright, three colours, what was transparent is white.

    The declared media type is not believed; the content decides. Of a moving image the first
    picture is taken. The size is read first, so a small file cannot fill the memory.

    Args:
        part: the image.
        max_pixels: largest width times height.

    Raises:
        InvalidRequestError: this is no image of a kind that is taken, it is broken, or too large.
    """
    try:
        with Image.open(BytesIO(part.data), formats=FORMATS) as image:
            width, height = image.size
            if width * height > max_pixels:
                raise _refused(f"has {width} x {height} pixels; {max_pixels} in all are allowed")
            # A moving image stands at its first picture; asking for another one would decode it.
            upright = ImageOps.exif_transpose(image)
            return _on_white(upright)
    except BOMBS as error:
        raise _refused(f"has too many pixels; {max_pixels} in all are allowed") from error
    except BROKEN as error:
        raise _refused("cannot be read as PNG, JPEG, WebP or GIF") from error


def _on_white(image: Image.Image) -> Image.Image:
    """Lay an image that may be transparent on white."""
    if not image.has_transparency_data:
        return image.convert("RGB")
    layer = image.convert("RGBA")
    paper = Image.new("RGBA", layer.size, "white")
    return Image.alpha_composite(paper, layer).convert("RGB")


def _refused(reason: str) -> InvalidRequestError:
    return InvalidRequestError(f"an image {reason}", param="messages")
