"""The processor of a vision-language model: it turns images into what the model's tower reads."""

import inspect
import logging
from functools import cache
from pathlib import Path
from typing import Any

from transformers import PreTrainedConfig, ProcessorMixin
from transformers.models.auto.modeling_auto import (
    MODEL_FOR_CAUSAL_LM_MAPPING,
    MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING,
)
from transformers.models.auto.processing_auto import PROCESSOR_MAPPING

logger = logging.getLogger(__name__)

CLASS_TOKENS = 1
"""What a CLIP tower puts before an image's patches."""


def reads_images(config: PreTrainedConfig) -> bool:
    """Whether transformers knows models of this configuration as "image and text to text".

    A model that it also knows as a plain decoder is taken for one.
    """
    kind = type(config)
    return kind in MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING and kind not in MODEL_FOR_CAUSAL_LM_MAPPING


def load_processor(folder: Path, config: PreTrainedConfig) -> ProcessorMixin | None:
    """Return the processor in a model's folder; None where the model, or the folder, has none.

    A vision-language model without a readable processor answers texts all the same, so that is no
    error, but the log says it. Images are prepared by Pillow where torchvision is missing.

    Args:
        folder: the model's.
        config: the model's.
    """
    if not reads_images(config) or type(config) not in PROCESSOR_MAPPING:
        return None
    try:
        processor = without_videos(PROCESSOR_MAPPING[type(config)]).from_pretrained(folder)
    except (OSError, ValueError, TypeError, KeyError, ImportError) as error:
        logger.warning("%s takes no images: %s", folder.name, error)
        return None
    _fill_in(processor, config)
    return processor


@cache
def without_videos(kind: type[ProcessorMixin]) -> type[ProcessorMixin]:
    """Return a kind of processor that leaves videos out, whose part needs torchvision."""
    if "video_processor" not in inspect.signature(kind.__init__).parameters:
        return kind

    def begin(
        self: Any,
        image_processor: Any = None,
        tokenizer: Any = None,
        chat_template: Any = None,
        **others: Any,
    ) -> None:
        kind.__init__(
            self,
            image_processor=image_processor,
            tokenizer=tokenizer,
            video_processor=None,
            chat_template=chat_template,
            **others,
        )

    # transformers reads the parts of a processor off the signature of its initialiser.
    return type(kind.__name__, (kind,), {"__init__": begin, "__module__": kind.__module__})


def _fill_in(processor: Any, config: Any) -> None:
    """Tell an older LLaVA's processor how many tokens an image takes, which its files leave out."""
    if getattr(processor, "patch_size", "") is None:
        processor.patch_size = config.vision_config.patch_size
        processor.vision_feature_select_strategy = config.vision_feature_select_strategy
        has_class = config.vision_config.model_type == "clip_vision_model"
        processor.num_additional_image_tokens = CLASS_TOKENS if has_class else 0
