"""Whether a model takes images: a small picture tells, seen by the model and by the engine."""

import logging
import math
from dataclasses import dataclass
from typing import Any

from PIL import Image
from torch import Tensor
from transformers import PreTrainedModel

from inference.engine.block_manager import BlockManager
from inference.engine.config import EngineConfig
from inference.engine.model_runner import ModelRunner
from inference.engine.probing import difference_of, largest_error
from inference.engine.sequence import Chunk, Sequence
from inference.engine.vision.eyes import Eyes
from inference.engine.vision.reader import ImageReader
from inference.engine.vision.sequence_images import SequenceImages
from inference.exceptions import InferenceError

logger = logging.getLogger(__name__)

PROBE_SIZE = (64, 48)


@dataclass(frozen=True, slots=True)
class Sight:
    """A model that may take images, and what it made of a picture by itself.

    Attributes:
        reader: prepares images for it.
        tokens: of a prompt with a picture.
        images: what that prompt shows.
        scores: the model's own, after the prompt, [V].
    """

    reader: ImageReader
    tokens: list[int]
    images: SequenceImages
    scores: Tensor


def own_sight(model: PreTrainedModel, processor: Any, config: EngineConfig) -> Sight | None:
    """Let a model look at a picture, before its attention is replaced; None where it cannot.

    Args:
        model: of the kind "image and text to text".
        processor: the model's; None for a model that knows no images.
        config: of the engine; names the model in the log.
    """
    if processor is None:
        return None
    try:
        eyes = Eyes(model)
        reader = ImageReader(processor, eyes)
        inputs = reader.prepare(f"a {reader.marker} b", [_picture()], add_special_tokens=False)
        images = SequenceImages(eyes, inputs, [b"probe"])
        return Sight(reader, inputs["input_ids"][0].tolist(), images, eyes.scores(inputs))
    except Exception as error:  # whatever it is, the model answers texts all the same
        _complain(config, error)
        return None


def checked_reader(
    sight: Sight | None,
    runner: ModelRunner,
    blocks: BlockManager,
    model: PreTrainedModel,
    config: EngineConfig,
) -> ImageReader | None:
    """Return the reader if the engine gives the model's own scores for the picture.

    Images are read in two chunks, divided inside the picture, as a long prompt would be. With
    weights in fewer bits only sound numbers are asked for.
    """
    if sight is None:
        return None
    count = len(sight.tokens)
    sequence = Sequence("picture", sight.tokens, count, max_tokens=1, images=sight.images)
    try:
        if not blocks.grow(sequence, count):
            raise InferenceError(f"a picture takes {count} tokens, more than the cache has")
        middle = count // 2
        runner.compute([Chunk(sequence, 0, middle, scored=0)])
        found = runner.compute([Chunk(sequence, middle, count - middle, scored=1)])
    except Exception as error:
        _complain(config, error)
        return None
    finally:
        runner.forget(sequence)
        blocks.release(sequence)
    limit = largest_error(model, sight.scores) if config.weights == "as_loaded" else math.inf
    difference = difference_of(found[0], sight.scores)
    if difference < limit:  # which is not a number where the scores are none
        return sight.reader
    _complain(
        config, InferenceError(f"its scores after a picture would differ by {difference:.1e}")
    )
    return None


def _complain(config: EngineConfig, error: Exception) -> None:
    logger.warning("%s takes no images here: %s: %s", config.name, type(error).__name__, error)


def _picture() -> Image.Image:
    """A picture with something to see: shades to the right, others downwards."""
    across = Image.linear_gradient("L").resize(PROBE_SIZE)
    return Image.merge("RGB", (across, across.rotate(90), across.rotate(180)))
