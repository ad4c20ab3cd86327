"""Who is to blame when a step fails: the chunks are run again in ever smaller parts."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from inference.engine.memory import empty_device_cache, is_out_of_memory
from inference.engine.sequence import Chunk

logger = logging.getLogger(__name__)

Compute = Callable[[Sequence[Chunk]], Tensor]
"""Computes chunks and returns the scores of their `scored` tokens, [S, V]."""


@dataclass(frozen=True, slots=True)
class ForwardResult:
    """What the forward passes of one step gave.

    Attributes:
        chunks: the chunks that were computed, in the order of `logits`; where memory was short, a
            chunk may be the first part of the one that was wanted.
        logits: next-token scores of all `scored` tokens of `chunks`, one after the other, [S, V].
        failures: chunks the model could not compute, and why.
        too_many_tokens: tokens of the smallest forward pass that ran out of memory; None where
            none did.
    """

    chunks: list[Chunk]
    logits: Tensor
    failures: list[tuple[Chunk, Exception]] = field(default_factory=list)
    too_many_tokens: int | None = None


def run_isolating(compute: Compute, chunks: Sequence[Chunk]) -> ForwardResult:
    """Run chunks together, or in halves where together they fail, down to each alone.

    A chunk that fails alone is that request's failure. One that is alone and runs out of memory
    is shortened before that, down to one token. Computing a chunk twice writes the same rows of
    the cache again, so nothing is spoilt.
    """
    result = run_once(compute, chunks)
    if not result.failures:
        return result
    _, error = result.failures[0]
    tokens = None
    if is_out_of_memory(error):
        tokens = sum(chunk.count for chunk in chunks)
        empty_device_cache()
    parts = _halves(chunks) if tokens is None or len(chunks) > 1 else _shortened(chunks[0])
    if not parts:
        return replace(result, too_many_tokens=tokens)
    logger.warning("a step of %d chunks failed: %s", len(chunks), type(error).__name__)
    return together([run_isolating(compute, part) for part in parts], too_many_tokens=tokens)


def run_apart(compute: Compute, chunks: Sequence[Chunk]) -> ForwardResult:
    """Run each chunk alone and once; one that fails is that request's failure."""
    return together([run_once(compute, [chunk]) for chunk in chunks])


def first_half(chunk: Chunk) -> Chunk:
    """Return a chunk of the first half of the tokens, with those of the scores that fall there."""
    count = chunk.count // 2
    unscored = chunk.count - chunk.scored
    return replace(chunk, count=count, scored=max(0, count - unscored))


def run_once(compute: Compute, chunks: Sequence[Chunk]) -> ForwardResult:
    """Run chunks together; where that fails, all of them have failed."""
    try:
        return ForwardResult(list(chunks), compute(chunks))
    except Exception as error:  # whatever a model raises is some request's failure
        if is_out_of_memory(error):
            # Its frames hold the tensors that filled the memory.
            error.__traceback__ = error.__context__ = None
        return ForwardResult([], torch.empty(0), [(chunk, error) for chunk in chunks])


def _halves(chunks: Sequence[Chunk]) -> list[Sequence[Chunk]]:
    middle = len(chunks) // 2
    return [chunks[:middle], chunks[middle:]] if middle else []


def _shortened(chunk: Chunk) -> list[Sequence[Chunk]]:
    """A smaller chunk of the same sequence; its draft is given up first."""
    if chunk.sequence.draft:
        count = chunk.count - len(chunk.sequence.draft)
        chunk.sequence.draft.clear()
        return [[replace(chunk, count=count, scored=min(chunk.scored, count))]]
    can_be_divided = chunk.count > 1 and not chunk.sequence.is_whole
    return [[first_half(chunk)]] if can_be_divided else []


def together(
    parts: Sequence[ForwardResult], *, too_many_tokens: int | None = None
) -> ForwardResult:
    """Join the results of parts, in their order.

    Args:
        parts: what was computed one after the other.
        too_many_tokens: tokens of a larger pass that memory was short for before.
    """
    scores = [part.logits for part in parts if part.chunks]
    tokens = [too_many_tokens, *(part.too_many_tokens for part in parts)]
    return ForwardResult(
        [chunk for part in parts for chunk in part.chunks],
        torch.cat(scores) if scores else torch.empty(0),
        [failure for part in parts for failure in part.failures],
        min((count for count in tokens if count is not None), default=None),
    )
