"""The runner of models without a head: whole texts, no cache, a pool takes what comes out."""

import inspect
from collections.abc import Sequence
from itertools import groupby
from typing import Any, Protocol

import torch
from torch import Tensor
from transformers import PreTrainedModel

from inference.engine.encoder.attention import TextStep
from inference.engine.isolation import ForwardResult, run_isolating
from inference.engine.placement import input_device
from inference.engine.sequence import Chunk
from inference.engine.sequence import Sequence as RunningSequence


class TextForward(Protocol):
    """One forward pass over whole texts."""

    def __call__(self, texts: Sequence[list[int]]) -> list[Tensor]:
        """Return the states of each text's tokens, [T, W] each."""


class FlatTexts:
    """All texts in one row of tokens; the model's attention is `TEXT_ATTENTION`.

    Args:
        model: a model without a head.
        first_position: the position of a text's first token.
    """

    def __init__(self, model: PreTrainedModel, *, first_position: int) -> None:
        self._model = model
        self._device = input_device(model)
        self._first_position = first_position
        self._has_types = "token_type_ids" in inspect.signature(model.forward).parameters

    def __call__(self, texts: Sequence[list[int]]) -> list[Tensor]:
        """See `TextForward`."""
        lengths = [len(text) for text in texts]
        first = self._first_position
        positions = [first + place for length in lengths for place in range(length)]
        tokens = self._row([token for text in texts for token in text])
        options: dict[str, Any] = {"packed_texts": TextStep(lengths)}
        if self._has_types:
            options["token_type_ids"] = torch.zeros_like(tokens)
        output = self._model(input_ids=tokens, position_ids=self._row(positions), **options)
        states: Tensor = output.last_hidden_state[0]
        return list(states.split(lengths))

    def _row(self, values: list[int]) -> Tensor:
        return torch.tensor([values], dtype=torch.long, device=self._device)


class EqualBatches:
    """Texts of the same length as one batch with the model's own attention; none is padded."""

    def __init__(self, model: PreTrainedModel) -> None:
        self._model = model
        self._device = input_device(model)

    def __call__(self, texts: Sequence[list[int]]) -> list[Tensor]:
        """See `TextForward`."""
        states: list[Tensor] = []
        for _, equal in groupby(texts, key=len):
            tokens = torch.tensor(list(equal), dtype=torch.long, device=self._device)
            output = self._model(input_ids=tokens, attention_mask=torch.ones_like(tokens))
            states += output.last_hidden_state
        return states


class TextRunner:
    """Computes whole texts; nothing is kept of them but what their pools take.

    Args:
        forward: the model.
    """

    has_prefix_reuse = False

    def __init__(self, forward: TextForward) -> None:
        self._forward = forward

    def run(self, chunks: Sequence[Chunk]) -> ForwardResult:
        """Compute the texts together; where that fails, in parts, to find the one at fault."""
        return run_isolating(self.compute, sorted(chunks, key=lambda chunk: chunk.count))

    @torch.inference_mode()
    def compute(self, chunks: Sequence[Chunk]) -> Tensor:
        """Compute texts and fill their pools; nothing has scores, [0, 0]."""
        states = self._forward([chunk.tokens for chunk in chunks])
        for chunk, own in zip(chunks, states, strict=True):
            if chunk.sequence.pool is not None:  # nobody wants what warming up computes
                chunk.sequence.pool.take(chunk.start, own)
        return torch.empty(0, 0)

    def forget(self, sequence: RunningSequence) -> None:
        """Nothing to drop: nothing is kept."""

    def copy_blocks(self, pairs: Sequence[tuple[int, int]]) -> None:
        """Refuse: blocks are only counted."""
        raise NotImplementedError("texts that are read whole share nothing")

    def clear_blocks(self, blocks: Sequence[int]) -> None:
        """Nothing to clear: nothing is kept."""
