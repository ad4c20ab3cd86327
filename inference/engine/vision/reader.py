"""The image reader: a rendered prompt and its images become tokens and what stands behind them."""

import threading
from collections.abc import Sequence
from typing import Any

from PIL import Image
from torch import Tensor

from inference.engine.vision.decoding import decode_image
from inference.engine.vision.eyes import Eyes
from inference.engine.vision.sequence_images import SequenceImages
from inference.exceptions import ContextLengthExceededError, InvalidRequestError
from inference.messages import ImagePart

TOKENS = "num_image_tokens"
"""What processors call the number of tokens that images take."""


class ImageReader:
    """Prepares images as a model's processor does; may be used from any thread.

    Args:
        processor: the model's, of transformers.
        eyes: the model's.

    Attributes:
        marker: what stands in the text of a prompt for a whole image.
    """

    def __init__(self, processor: Any, eyes: Eyes) -> None:
        self._processor = processor
        self._eyes = eyes
        # One at a time: an image takes a hundred megabytes while it is prepared.
        self._lock = threading.Lock()
        self.marker: str = processor.image_token

    def read(
        self,
        text: str,
        images: Sequence[ImagePart],
        *,
        add_special_tokens: bool,
        limit_tokens: int | None = None,
    ) -> tuple[list[int], SequenceImages]:
        """Return the prompt's tokens, with as many for each image as it takes, and the images.

        Args:
            text: the rendered prompt, a marker for each image.
            images: in the order of the markers.
            add_special_tokens: whether the tokenizer puts its own in front.
            limit_tokens: the window; images that take more are refused unprepared. None prepares
                any.

        Raises:
            InvalidRequestError: the template left an image out, or one cannot be prepared.
            ContextLengthExceededError: the images alone leave no room for an answer.
        """
        shown = text.count(self.marker)
        if shown != len(images):
            raise InvalidRequestError(
                f"the model's chat template has room for {shown} of {len(images)} images there",
                param="messages",
            )
        with self._lock:
            pixels = [decode_image(image) for image in images]
            self._check_room(pixels, limit_tokens)
            inputs = self.prepare(text, pixels, add_special_tokens=add_special_tokens)
        tokens: list[int] = inputs["input_ids"][0].tolist()
        return tokens, SequenceImages(self._eyes, inputs, [image.digest for image in images])

    def _check_room(self, pixels: Sequence[Image.Image], limit_tokens: int | None) -> None:
        """Refuse images too large for the window while they are still small: pixels, not patches.

        A patch of Qwen2-VL takes eight times the memory of its pixels.
        """
        count = getattr(self._processor, "_get_num_multimodal_tokens", None)
        if count is None or limit_tokens is None:
            return
        try:
            tokens = sum(count(image_sizes=[(one.height, one.width) for one in pixels])[TOKENS])
        except ValueError:
            return  # of a shape that `prepare` refuses in words
        if tokens > limit_tokens:
            raise ContextLengthExceededError(prompt_tokens=tokens, limit_tokens=limit_tokens)

    def prepare(
        self, text: str, pixels: Sequence[Image.Image], *, add_special_tokens: bool
    ) -> dict[str, Tensor]:
        """Return what the processor makes of a prompt and its pixels, a batch of one.

        Raises:
            InvalidRequestError: the processor refuses an image.
        """
        try:
            inputs = self._processor(
                text=[text],
                images=list(pixels),
                add_special_tokens=add_special_tokens,
                return_tensors="pt",
            )
        except ValueError as error:  # such as a side two hundred times the other
            raise InvalidRequestError(
                f"an image cannot be prepared: {error}", param="messages"
            ) from error
        return dict(inputs)
