"""How a decoder is asked the plain way: with its own memory, or with all tokens every time."""

import inspect
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Protocol

import torch
from torch import Tensor
from transformers import PreTrainedModel

from inference.engine.placement import input_device
from inference.engine.plain.memory import Memory, has_columns
from inference.engine.sequence import Chunk
from inference.engine.states import watched_states

MEMORY_NAMES = ("past_key_values", "cache_params", "state")
"""What models call their memory, in what they take and in what they return."""


class Asking(Protocol):
    """Asks a model, and hands its memory on."""

    def read(self, chunk: Chunk, memory: Memory | None) -> tuple[Tensor, Memory | None]:
        """Let the model read the tokens of one sequence.

        Args:
            chunk: the tokens; where its text is pooled the states go there.
            memory: of what comes before them; None at the beginning. It is used up.

        Returns:
            The scores of the chunk's `scored` tokens, [S, V], and the memory of all.
        """

    def decode(self, tokens: Sequence[int], memory: Memory) -> Tensor:
        """Let the model read the next token of several sequences.

        Args:
            tokens: one for each row of the memory.
            memory: goes on in place; after a failure it is spoilt.

        Returns:
            Scores, [B, V].
        """


class DecoderAsking:
    """Asks a decoder that keeps a memory.

    Args:
        model: a transformers causal language model.

    Raises:
        NotImplementedError: it keeps no memory, or keeps it to itself.
    """

    def __init__(self, model: PreTrainedModel) -> None:
        self._model = model
        self._device = input_device(model)
        self._known = _parameters_of(model)
        self._memory_name = next((name for name in MEMORY_NAMES if name in self._known), None)
        if self._memory_name is None:
            raise NotImplementedError("a model that hands out no memory")

    def read(self, chunk: Chunk, memory: Memory | None) -> tuple[Tensor, Memory | None]:
        """See `Asking`."""
        held = None if memory is None else memory.held
        more = {"position_ids": torch.arange(chunk.start, chunk.end).unsqueeze(0)}
        with _watched(self._model, chunk) as states:
            logits, held = self._ask([chunk.tokens], held, most=max(1, chunk.scored), more=more)
        if chunk.sequence.pool is not None:
            chunk.sequence.pool.take(chunk.start, states[0][0])
        return logits[0, logits.shape[1] - chunk.scored :], Memory(held, [chunk.end])

    def decode(self, tokens: Sequence[int], memory: Memory) -> Tensor:
        """See `Asking`."""
        more = {"position_ids": torch.tensor(memory.lengths).unsqueeze(1)}
        if len(set(memory.lengths)) > 1 and has_columns(memory.held):
            more["attention_mask"] = left_mask([length + 1 for length in memory.lengths])
        logits, memory.held = self._ask(
            [[token] for token in tokens], memory.held, most=1, more=more
        )
        memory.lengths = [length + 1 for length in memory.lengths]
        return logits[:, -1]

    def _ask(
        self, tokens: list[list[int]], held: Any, *, most: int, more: dict[str, Tensor]
    ) -> tuple[Tensor, Any]:
        """Return the scores of the last `most` columns, or of all, and the memory."""
        assert self._memory_name is not None
        arguments: dict[str, Any] = {self._memory_name: held, "logits_to_keep": most}
        arguments |= {name: tensor.to(self._device) for name, tensor in more.items()}
        output: Any = self._model(
            input_ids=torch.tensor(tokens, dtype=torch.long, device=self._device),
            use_cache=True,
            **{name: value for name, value in arguments.items() if name in self._known},
        )
        return output.logits, getattr(output, self._memory_name)


class ForgetfulAsking:
    """Asks a decoder that keeps no memory of its own kind: it reads everything every time.

    Args:
        model: a transformers causal language model.
    """

    def __init__(self, model: PreTrainedModel) -> None:
        self._model = model
        self._device = input_device(model)

    def read(self, chunk: Chunk, memory: Memory | None) -> tuple[Tensor, Memory | None]:
        """See `Asking`."""
        before = [] if memory is None else memory.held
        tokens = before + chunk.tokens
        with _watched(self._model, chunk) as states:
            logits = self._model(
                input_ids=torch.tensor([tokens], dtype=torch.long, device=self._device),
                use_cache=False,
            ).logits
        if chunk.sequence.pool is not None:
            chunk.sequence.pool.take(chunk.start, states[0][0, len(before) :])
        return logits[0, len(tokens) - chunk.scored :], Memory(tokens, [len(tokens)])

    def decode(self, tokens: Sequence[int], memory: Memory) -> Tensor:
        """Refuse: rows are read one by one."""
        raise NotImplementedError("a model without a memory reads one sequence at a time")


def left_mask(lengths: Sequence[int]) -> Tensor:
    """Return 1 where padded rows have a token and 0 where they have padding, long [B, T]."""
    width = max(lengths)
    first = width - torch.tensor(lengths)
    return (torch.arange(width) >= first.unsqueeze(1)).long()


def _parameters_of(model: PreTrainedModel) -> frozenset[str]:
    """Names that a model's forward pass takes."""
    return frozenset(inspect.signature(model.forward).parameters)


def _watched(model: PreTrainedModel, chunk: Chunk) -> AbstractContextManager[list[Tensor]]:
    """Collect states where the chunk's text is pooled."""
    return nullcontext([]) if chunk.sequence.pool is None else watched_states(model)
