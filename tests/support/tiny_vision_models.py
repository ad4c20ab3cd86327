"""Tiny random vision-language models, their processors, and images to show them."""

from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from transformers import (
    LlavaConfig,
    LlavaForConditionalGeneration,
    LlavaNextConfig,
    LlavaNextForConditionalGeneration,
    LlavaNextProcessor,
    LlavaProcessor,
    PreTrainedModel,
    PreTrainedTokenizerFast,
    Qwen2_5_VLConfig,
    Qwen2_5_VLForConditionalGeneration,
    Qwen2VLConfig,
    Qwen2VLForConditionalGeneration,
    Qwen2VLProcessor,
    Qwen3VLConfig,
    Qwen3VLForConditionalGeneration,
    Qwen3VLProcessor,
)
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil
from transformers.models.llava_next.image_processing_pil_llava_next import (
    LlavaNextImageProcessorPil,
)
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

from inference.loading.processors import without_videos
from inference.messages import ImagePart, Message, Role, TextPart
from tests.support.tiny_models import byte_tokenizer

PATCH = 14
SPECIAL = ("<image>", "<|image_pad|>", "<|video_pad|>", "<|vision_start|>", "<|vision_end|>")
PARTS_TEMPLATE = (
    "{% for message in messages %}{{ '<|im_start|>' + message.role + '\n' }}"
    "{% if message.content is string %}{{ message.content }}{% else %}"
    "{% for part in message.content %}"
    "{% if part.type == 'image' %}IMAGE{% else %}{{ part.text }}{% endif %}"
    "{% endfor %}{% endif %}{{ '<|im_end|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
TEXT = {
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 512,
    "pad_token_id": 0,
    "bos_token_id": None,
    "eos_token_id": 1,
}
MROPE = {"rope_type": "default", "mrope_section": [2, 3, 3], "rope_theta": 10_000.0}


def vision_tokenizer(image: str) -> PreTrainedTokenizerFast:
    """The byte tokenizer with the tokens vision models use; `image` is what a template writes."""
    tokenizer = byte_tokenizer(chat_template=PARTS_TEMPLATE.replace("IMAGE", image))
    tokenizer.add_special_tokens({"extra_special_tokens": ["<|im_start|>", "<|im_end|>", *SPECIAL]})
    return tokenizer


def tiny_llava() -> tuple[PreTrainedModel, LlavaProcessor]:
    """A Llama that sees 16 patches of an image through a CLIP tower."""
    tokenizer = vision_tokenizer("<image>\n")
    config = LlavaConfig(
        vision_config=_clip(4 * PATCH),
        text_config={"model_type": "llama", "vocab_size": len(tokenizer), **TEXT},
        image_token_id=tokenizer.convert_tokens_to_ids("<image>"),
    )
    side = {"height": 4 * PATCH, "width": 4 * PATCH}
    processor = LlavaProcessor(
        CLIPImageProcessorPil(size={"shortest_edge": 4 * PATCH}, crop_size=side),
        tokenizer,
        patch_size=PATCH,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        chat_template=tokenizer.chat_template,
    )
    return _wide(LlavaForConditionalGeneration, config), processor


def tiny_llava_next() -> tuple[PreTrainedModel, LlavaNextProcessor]:
    """A LLaVA-NeXT, which looks at an image as a whole and again in tiles."""
    tokenizer = vision_tokenizer("<image>\n")
    side, tiles = 2 * PATCH, [[2 * PATCH, 4 * PATCH], [4 * PATCH, 2 * PATCH]]
    config = LlavaNextConfig(
        vision_config=_clip(side),
        text_config={"model_type": "llama", "vocab_size": len(tokenizer), **TEXT},
        image_token_id=tokenizer.convert_tokens_to_ids("<image>"),
        image_grid_pinpoints=tiles,
    )
    images = LlavaNextImageProcessorPil(
        size={"shortest_edge": side},
        crop_size={"height": side, "width": side},
        image_grid_pinpoints=tiles,
    )
    processor = LlavaNextProcessor(
        images,
        tokenizer,
        patch_size=PATCH,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        chat_template=tokenizer.chat_template,
    )
    return _wide(LlavaNextForConditionalGeneration, config), processor


def tiny_qwen2_vl() -> tuple[PreTrainedModel, Any]:
    """A Qwen2-VL: images of any shape, positions in three dimensions."""
    vision = {"depth": 2, "embed_dim": 32, "hidden_size": 64, "num_heads": 2, "mlp_ratio": 2}
    return _qwen(Qwen2VLForConditionalGeneration, Qwen2VLConfig, vision)


def tiny_qwen2_5_vl() -> tuple[PreTrainedModel, Any]:
    """A Qwen2.5-VL, whose tower looks through windows."""
    vision = {
        "depth": 2,
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_heads": 2,
        "out_hidden_size": 64,
        "fullatt_block_indexes": [1],
        "window_size": 4 * PATCH,
    }
    return _qwen(Qwen2_5_VLForConditionalGeneration, Qwen2_5_VLConfig, vision)


def tiny_qwen3_vl() -> tuple[PreTrainedModel, Any]:
    """A Qwen3-VL, whose tower hands on states for the decoder's first layer as well."""
    vision = {
        "depth": 2,
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_heads": 2,
        "out_hidden_size": 64,
        "deepstack_visual_indexes": [0],
        "num_position_embeddings": 64,
    }
    return _qwen(Qwen3VLForConditionalGeneration, Qwen3VLConfig, vision, Qwen3VLProcessor)


VISION_MODELS = {
    "llava": tiny_llava,
    "llava_next": tiny_llava_next,
    "qwen2_vl": tiny_qwen2_vl,
    "qwen2_5_vl": tiny_qwen2_5_vl,
    "qwen3_vl": tiny_qwen3_vl,
}


def save_vision_model(folder: Path, kind: str = "llava") -> Path:
    """Write a tiny model with its processor to a folder and return the folder."""
    model, processor = VISION_MODELS[kind]()
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder


def picture(seed: int, *, width: int = 60, height: int = 44, kind: str = "PNG") -> ImagePart:
    """A file of random colours in large squares, the same for the same seed."""
    colours = np.random.default_rng(seed).integers(0, 256, (4, 4, 3), dtype=np.uint8)
    image = Image.fromarray(colours).resize((width, height), Image.Resampling.NEAREST)
    file = BytesIO()
    image.save(file, kind)
    return ImagePart(file.getvalue(), f"image/{kind.lower()}")


def shown(text: str, *images: ImagePart) -> list[Message]:
    """A conversation of one user message that shows images and asks about them."""
    return [Message.of_parts(Role.USER, [*images, TextPart(text)])]


def _clip(side: int) -> dict[str, Any]:
    return {
        "model_type": "clip_vision_model",
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "image_size": side,
        "patch_size": PATCH,
        "projection_dim": 32,
    }


def _qwen(
    kind: Any, config_kind: Any, vision: dict[str, Any], processor_kind: Any = Qwen2VLProcessor
) -> tuple[PreTrainedModel, Any]:
    tokenizer = vision_tokenizer("<|vision_start|><|image_pad|><|vision_end|>")
    ids = tokenizer.convert_tokens_to_ids
    config = config_kind(
        text_config={
            "vocab_size": len(tokenizer),
            "rope_parameters": MROPE,
            "head_dim": 16,
            **TEXT,
        },
        vision_config={
            "patch_size": PATCH,
            "spatial_merge_size": 2,
            "temporal_patch_size": 2,
            **vision,
        },
        image_token_id=ids("<|image_pad|>"),
        video_token_id=ids("<|video_pad|>"),
        vision_start_token_id=ids("<|vision_start|>"),
        vision_end_token_id=ids("<|vision_end|>"),
    )
    pixels = (2 * PATCH) ** 2
    images = Qwen2VLImageProcessorPil(min_pixels=pixels, max_pixels=16 * pixels)
    processor = without_videos(processor_kind)(
        image_processor=images, tokenizer=tokenizer, chat_template=tokenizer.chat_template
    )
    return _wide(kind, config), processor


def _wide(kind: Any, config: Any) -> PreTrainedModel:
    """Make the model with weights so wide that different images get different answers."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = kind(config)
        for parameter in model.parameters():
            if parameter.dim() >= 2:
                torch.nn.init.normal_(parameter, std=0.15)
    model.generation_config.pad_token_id = 0
    model.generation_config.eos_token_id = 1
    return model.eval()
