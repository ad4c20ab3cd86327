"""A tiny vision-language model, the engines over it, and what it says by itself."""

import copy
from collections.abc import Sequence
from typing import Any

import torch

from inference.chat_templates.rendering import render_prompt
from inference.engine.config import EngineConfig
from inference.engine.llm_engine import LLMEngine
from inference.engine.vision.decoding import decode_image
from inference.messages import Message, images_of
from tests.support.engine_runs import GREEDY
from tests.support.tiny_vision_models import VISION_MODELS

CONFIG = {"max_num_seqs": 4, "block_size": 8, "max_batched_tokens": 24}


class Family:
    """A tiny model of one family, and what it says by itself."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.model, self.processor = VISION_MODELS[kind]()
        self._truths: dict[tuple[Message, ...], list[int]] = {}

    def engine(self, **options: Any) -> LLMEngine:
        """An engine over a copy of the model; small steps, so that images are read in parts."""
        config = EngineConfig(name=self.kind, **{**CONFIG, **options})
        return LLMEngine(
            copy.deepcopy(self.model), self.processor.tokenizer, config, processor=self.processor
        )

    def truth(self, messages: Sequence[Message]) -> list[int]:
        """What the model's own `generate` answers greedily."""
        key = tuple(messages)
        if key not in self._truths:
            self._truths[key] = self._generate(messages)
        return self._truths[key]

    @torch.inference_mode()
    def _generate(self, messages: Sequence[Message]) -> list[int]:
        tokenizer = self.processor.tokenizer
        marker = self.processor.image_token
        text = render_prompt(tokenizer, messages, image_marker=marker).text
        images = [decode_image(image) for image in images_of(messages)]
        inputs = self.processor(
            text=[text], images=images or None, add_special_tokens=False, return_tensors="pt"
        )
        tokens = self.model.generate(
            **inputs, max_new_tokens=GREEDY.max_tokens, do_sample=False, eos_token_id=None
        )
        if hasattr(self.model.base_model, "rope_deltas"):
            self.model.base_model.rope_deltas = None
        return tokens[0, inputs["input_ids"].shape[1] :].tolist()
