"""The eyes of a vision-language model: what it would hand its decoder for an image.

Such a model is a vision tower, a projector and a decoder. Whatever stands before the decoder is the
model's own code, which is run up to the decoder's door and no further. The states that arrive there
for image tokens are the image's features, in whatever way the family computes them.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from inference.engine.placement import input_device
from inference.exceptions import ModelLoadError

DEEPER_STATES = "deepstack_visual_embeds"
"""What Qwen3-VL's tower hands on from its middle, for the decoder's first layers."""

DECODER_INPUTS = frozenset(
    {
        "input_ids",
        "inputs_embeds",
        "position_ids",
        "attention_mask",
        "past_key_values",
        "visual_pos_masks",
        DEEPER_STATES,
    }
)
"""Tensors a decoder may be given; with more than these an image does not end in its features."""

NOT_FOR_THE_MODEL = frozenset({"attention_mask"})
"""What processors tell that a lone prompt does not need: all of it counts."""


class _AtTheDoor(Exception):  # noqa: N818 (no error: it carries what a decoder was given)
    """Ends a forward pass where the decoder begins."""


class Eyes:
    """Computes features of images by a model's own modules.

    Args:
        model: a transformers model of the kind "image and text to text".

    Attributes:
        image_token: the token that stands for a piece of an image.

    Raises:
        ModelLoadError: the model names no such token.
    """

    def __init__(self, model: PreTrainedModel) -> None:
        config: Any = model.config
        token = getattr(config, "image_token_id", None)
        if token is None:
            token = getattr(config, "image_token_index", None)
        if token is None:
            raise ModelLoadError(f"{config.model_type} models have no image token")
        self.image_token = int(token)
        self._model = model
        self._decoder = model.get_decoder()

    @torch.inference_mode()
    def features(self, inputs: Mapping[str, Tensor]) -> Tensor:
        """Return the states of all image tokens of one prompt, in order, [L, n, W].

        The first of the L is what goes into the decoder; the others are added to what leaves its
        first layers, one each.

        Args:
            inputs: what the processor made of the prompt, a batch of one.

        Raises:
            NotImplementedError: the decoder is given more than states and positions.

        Source:
            Meng et al. 2024, "DeepStack" (states for the first layers).
        """
        tokens = inputs["input_ids"]
        # With positions given, families of three-dimensional ones keep none of this prompt.
        places = torch.arange(tokens.shape[1]).unsqueeze(0)
        with _caught_call(self._decoder) as given:
            self._run({**inputs, "position_ids": places})
        extra = sorted(key for key in given if key not in DECODER_INPUTS and _is_data(given[key]))
        if extra or given.get("inputs_embeds") is None:
            raise NotImplementedError(f"the decoder is given {', '.join(extra) or 'no states'}")
        all_states: Tensor = given["inputs_embeds"][0]
        states = all_states[(tokens[0] == self.image_token).to(all_states.device)]
        deeper = given.get(DEEPER_STATES) or ()
        return torch.stack((states, *(added.to(states) for added in deeper)))

    @torch.inference_mode()
    def scores(self, inputs: Mapping[str, Tensor]) -> Tensor:
        """Return the model's own next-token scores after a prompt, [V]."""
        scores: Tensor = self._run(inputs).logits[0, -1]
        base: Any = self._model.base_model
        if hasattr(base, "rope_deltas"):
            base.rope_deltas = None  # of this prompt; it would shift the next one
        return scores

    def positions(self, inputs: Mapping[str, Tensor]) -> Tensor | None:
        """Return positions in time, height and width, long [3, T]; None for plain positions.

        Source:
            Wang et al. 2024, "Qwen2-VL", section 2.1 (multimodal rotary position embedding).
        """
        rope_index = getattr(self._model.base_model, "get_rope_index", None)
        if rope_index is None:
            return None
        words = {
            key: value
            for key, value in inputs.items()
            if not key.startswith("pixel") and key not in NOT_FOR_THE_MODEL
        }
        positions: Tensor = rope_index(**words)[0]
        return positions[:, 0].cpu()

    def _run(self, inputs: Mapping[str, Tensor]) -> Any:
        device, dtype = input_device(self._model), self._model.dtype
        moved = {
            key: value.to(device, dtype) if value.is_floating_point() else value.to(device)
            for key, value in inputs.items()
            if key not in NOT_FOR_THE_MODEL
        }
        return self._model(**moved, use_cache=False)


@contextmanager
def _caught_call(module: nn.Module) -> Iterator[dict[str, Any]]:
    """Keep what a module is called with, and end the forward pass there."""
    given: dict[str, Any] = {}

    def keep(_module: nn.Module, _arguments: Any, keywords: dict[str, Any]) -> None:
        given.update(keywords)
        raise _AtTheDoor

    handle = module.register_forward_pre_hook(keep, with_kwargs=True)
    try:
        yield given
    except _AtTheDoor:
        pass
    finally:
        handle.remove()


def _is_data(value: Any) -> bool:
    """Whether a keyword carries tensors."""
    if isinstance(value, list | tuple):
        return any(map(_is_data, value))
    return isinstance(value, Tensor)
