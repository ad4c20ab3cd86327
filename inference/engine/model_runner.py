"""The model runner: one forward pass for the chunks of a step."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from inference.engine.attention import PackedStep
from inference.engine.kv_cache import KVCache, Span
from inference.engine.sequence import Chunk
from inference.engine.sequence import Sequence as RunningSequence

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ForwardResult:
    """What the forward passes of one step gave.

    Attributes:
        chunks: the chunks that were computed, in the order of `logits`.
        logits: next-token scores of all `scored` tokens of `chunks`, one after the other, [S, V].
        failures: chunks the model could not compute, and why.
    """

    chunks: list[Chunk]
    logits: Tensor
    failures: list[tuple[Chunk, Exception]] = field(default_factory=list)


class ModelRunner(Protocol):
    """Runs a model over chunks and keeps what it must remember of their sequences."""

    @property
    def has_prefix_reuse(self) -> bool:
        """Whether a sequence may begin with blocks that another one computed."""

    def compute(self, chunks: Sequence[Chunk]) -> Tensor:
        """Compute chunks and return the scores of their `scored` tokens, [S, V]."""

    def run(self, chunks: Sequence[Chunk]) -> ForwardResult:
        """Compute chunks; one that fails does not touch the others."""

    def forget(self, sequence: RunningSequence) -> None:
        """Drop what was kept for a sequence that lost its blocks."""


class PackedRunner:
    """Computes all chunks in one flat batch `[1, N]` over a paged cache.

    Args:
        model: a transformers decoder whose attention is `PACKED_ATTENTION`.
        cache: where its keys and values go.
    """

    has_prefix_reuse = True

    def __init__(self, model: nn.Module, cache: KVCache) -> None:
        self._model = model
        self._cache = cache
        self._device = next(model.parameters()).device

    def run(self, chunks: Sequence[Chunk]) -> ForwardResult:
        """Compute the chunks together; where that fails, each alone, to find the one at fault."""
        return run_isolating(self.compute, chunks)

    def forget(self, sequence: RunningSequence) -> None:
        """Nothing to drop: the blocks are the memory."""

    @torch.inference_mode()
    def compute(self, chunks: Sequence[Chunk]) -> Tensor:
        """Compute the chunks in one forward pass; return the scores of the scored, [S, V]."""
        tokens: list[int] = []
        positions: list[int] = []
        slots: list[int] = []
        spans: list[Span] = []
        scored: list[int] = []
        for chunk in chunks:
            spans.append(self._span(chunk, first=len(tokens)))
            tokens += chunk.tokens
            positions += range(chunk.start, chunk.end)
            slots += self._slots(chunk)
            scored += range(len(tokens) - chunk.scored, len(tokens))
        step = PackedStep(self._cache, self._tensor(slots), spans)
        logits: Tensor = self._model(
            input_ids=self._tensor(tokens).unsqueeze(0),
            position_ids=self._tensor(positions).unsqueeze(0),
            use_cache=False,
            # Where nothing is scored one column is computed all the same and thrown away.
            logits_to_keep=self._tensor(scored or [0]),
            packed_step=step,
        ).logits
        return logits[0, : len(scored)]

    def _span(self, chunk: Chunk, *, first: int) -> Span:
        sequence = chunk.sequence
        start_slot = sequence.blocks[0] * self._cache.block_size
        blocks = None
        if sequence.is_scattered:
            used = -(-chunk.end // self._cache.block_size)
            blocks = self._tensor(sequence.blocks[:used])
        return Span(first, chunk.count, chunk.end, start_slot, blocks)

    def _slots(self, chunk: Chunk) -> list[int]:
        size = self._cache.block_size
        blocks = chunk.sequence.blocks
        return [blocks[at // size] * size + at % size for at in range(chunk.start, chunk.end)]

    def _tensor(self, values: list[int]) -> Tensor:
        return torch.tensor(values, dtype=torch.long, device=self._device)


class PlainRunner:
    """Computes chunk after chunk with the model's own cache, for models the flat batch misses.

    Slower, and right for every decoder that transformers can generate with: other position
    schemes, recurrent layers, attention with a bias.
    """

    has_prefix_reuse = False

    def __init__(self, model: nn.Module) -> None:
        self._model = model
        self._device = next(model.parameters()).device
        self._caches: dict[str, Any] = {}

    def run(self, chunks: Sequence[Chunk]) -> ForwardResult:
        """Compute the chunks one after the other."""
        return run_apart(self.compute, chunks)

    def forget(self, sequence: RunningSequence) -> None:
        """Drop the sequence's cache."""
        self._caches.pop(sequence.request_id, None)

    @torch.inference_mode()
    def compute(self, chunks: Sequence[Chunk]) -> Tensor:
        """Compute one chunk and return the scores of its scored tokens, [S, V]."""
        (chunk,) = chunks
        # A chunk from the start is a new sequence or one that was preempted.
        past = self._caches.get(chunk.sequence.request_id) if chunk.start else None
        output = self._model(
            input_ids=torch.tensor([chunk.tokens], dtype=torch.long, device=self._device),
            past_key_values=past,
            use_cache=True,
        )
        self._caches[chunk.sequence.request_id] = output.past_key_values
        logits: Tensor = output.logits
        return logits[0, chunk.count - chunk.scored :]


Forward = Callable[[Sequence[Chunk]], Tensor]


def run_isolating(forward: Forward, chunks: Sequence[Chunk]) -> ForwardResult:
    """Run chunks together, or each alone where together they fail.

    Computing a chunk twice writes the same rows of the cache again, so nothing is spoilt.
    """
    try:
        return ForwardResult(list(chunks), forward(chunks))
    except Exception:  # whatever a model raises is one request's failure
        logger.warning("a step of %d chunks failed; running each alone", len(chunks))
        return run_apart(forward, chunks)


def run_apart(forward: Forward, chunks: Sequence[Chunk]) -> ForwardResult:
    """Run each chunk alone; one that fails is that request's failure."""
    computed, logits, failures = [], [], []
    for chunk in chunks:
        try:
            logits.append(forward([chunk]))
        except Exception as error:  # whatever a model raises is that request's failure
            failures.append((chunk, error))
        else:
            computed.append(chunk)
    return ForwardResult(computed, torch.cat(logits) if logits else torch.empty(0), failures)
