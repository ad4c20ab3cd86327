"""How an encoder-decoder is asked: the prompt goes to the encoder, the answer to the decoder.

A sequence's tokens are prompt and answer, as everybody's. What the decoder begins with stands in
front of the answer and is nobody's token.
"""

import inspect
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from transformers import PreTrainedModel
from transformers.modeling_outputs import BaseModelOutput

from inference.engine.encoder_decoder.positions import own_positions
from inference.engine.placement import input_device
from inference.engine.plain.asking import left_mask
from inference.engine.plain.memory import Memory
from inference.engine.sequence import Chunk
from inference.exceptions import ModelLoadError


class EncoderDecoderAsking:
    """Asks an encoder-decoder; rows of a batch may differ in both lengths.

    Args:
        model: a transformers model for sequences to sequences.

    Raises:
        ModelLoadError: nothing tells what the decoder begins with.
    """

    def __init__(self, model: PreTrainedModel) -> None:
        self._model = model
        self._device = input_device(model)
        self._opening = opening_tokens(model)
        self._known = frozenset(inspect.signature(model.forward).parameters)

    def read(self, chunk: Chunk, memory: Memory | None) -> tuple[Tensor, Memory | None]:
        """Read a prompt and what was answered so far, or one more token; see `Asking`."""
        if memory is not None:
            return self.decode(chunk.tokens, memory), memory
        source = chunk.tokens[: chunk.sequence.prompt_tokens]
        encoded = self._encode(source)
        if chunk.sequence.pool is not None:
            states: Tensor = encoded.last_hidden_state
            chunk.sequence.pool.take(0, states[0])
            return states.new_empty(0), None
        answer = self._opening + chunk.tokens[len(source) :]
        output: Any = self._model(
            encoder_outputs=encoded,
            attention_mask=self._tensor([[1] * len(source)]),
            decoder_input_ids=self._tensor([answer]),
            use_cache=True,
        )
        memory = Memory(output.past_key_values, [len(answer)], [len(source)])
        logits: Tensor = output.logits
        return logits[0, logits.shape[1] - chunk.scored :], memory

    def decode(self, tokens: Sequence[int], memory: Memory) -> Tensor:
        """See `Asking`."""
        lengths = [length + 1 for length in memory.lengths]
        more = {"decoder_position_ids": torch.tensor(memory.lengths).unsqueeze(1)}
        if len(set(lengths)) > 1:
            more["decoder_attention_mask"] = left_mask(lengths)
        known = {name: more[name].to(self._device) for name in more if name in self._known}
        with own_positions(self._model, memory):
            output: Any = self._model(
                # The layers remember what they need of these states, but for their shape.
                encoder_outputs=BaseModelOutput(last_hidden_state=self._shape_of_states(memory)),
                attention_mask=left_mask(memory.sources).to(self._device),
                decoder_input_ids=self._tensor([[token] for token in tokens]),
                past_key_values=memory.held,
                use_cache=True,
                **known,
            )
        memory.lengths = lengths
        logits: Tensor = output.logits
        return logits[:, -1]

    def _encode(self, source: list[int]) -> Any:
        """Return what the encoder makes of one prompt."""
        encoder: Any = self._model.get_encoder()
        tokens = self._tensor([source])
        return encoder(input_ids=tokens, attention_mask=torch.ones_like(tokens))

    def _shape_of_states(self, memory: Memory) -> Tensor:
        """Return something of the encoder states' shape that takes no memory, [B, S, W]."""
        embedding: Any = self._model.get_input_embeddings()
        width = int(embedding.weight.shape[1])
        empty = torch.zeros(1, dtype=self._model.dtype, device=self._device)
        return empty.expand(len(memory.sources), memory.source_width, width)

    def _tensor(self, rows: list[list[int]]) -> Tensor:
        return torch.tensor(rows, dtype=torch.long, device=self._device)


def opening_tokens(model: PreTrainedModel) -> list[int]:
    """Return what a decoder reads before its answer: its start, and what is forced after it.

    Translators and summarisers of the BART family were trained with a second fixed token.

    Raises:
        ModelLoadError: neither configuration has a start.
    """
    for name in ("decoder_start_token_id", "bos_token_id"):
        for config in (model.generation_config, model.config, model.config.get_text_config()):
            start = getattr(config, name, None)
            if isinstance(start, int):
                forced = getattr(model.generation_config, "forced_bos_token_id", None)
                return [start] if forced is None else [start, int(forced)]
    raise ModelLoadError(
        "the configuration of this encoder-decoder names no decoder_start_token_id"
    )
