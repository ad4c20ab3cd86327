"""The plain runner: prompts one after the other, then all decoding sequences together."""

import logging
from collections.abc import Sequence
from dataclasses import replace
from itertools import compress

import torch
from torch import Tensor

from inference.engine.isolation import ForwardResult, run_apart, run_once, together
from inference.engine.memory import empty_device_cache, is_out_of_memory
from inference.engine.model_runner import OnChunks, ignore_chunks
from inference.engine.plain.asking import Asking
from inference.engine.plain.memory import Memory, join, pick
from inference.engine.sequence import Chunk
from inference.engine.sequence import Sequence as RunningSequence

logger = logging.getLogger(__name__)


class PlainRunner:
    """Lets a model keep its own memory of sequences, for models the flat batch misses.

    Slower, and right for every model that transformers can generate with: other position
    schemes, recurrent layers, attention with a bias, encoders.

    A memory that a failed pass has spoilt is dropped and made again from the sequence's tokens.

    Args:
        asking: how the model is asked.
        is_batched: whether sequences decode together; else they take turns.

    Attributes:
        on_chunks: hears of the chunks of every forward pass, in the order of its rows.
    """

    has_prefix_reuse = False

    def __init__(self, asking: Asking, *, is_batched: bool) -> None:
        self._asking = asking
        self._is_batched = is_batched
        self.on_chunks: OnChunks = ignore_chunks
        self._parked: dict[RunningSequence, Memory] = {}  # of one row each
        self._batch: Memory | None = None
        self._members: list[RunningSequence | None] = []  # the rows of the batch; None has left

    @property
    def held_sequences(self) -> int:
        """How many sequences are remembered."""
        return len(self._parked) + sum(member is not None for member in self._members)

    def run(self, chunks: Sequence[Chunk]) -> ForwardResult:
        """Compute the chunks; where decoding together fails, each is computed alone."""
        decoding = [chunk for chunk in chunks if self._decodes(chunk)]
        reading = [chunk for chunk in chunks if not self._decodes(chunk)]
        parts = [run_apart(self.compute, reading)]
        if decoding:
            parts.append(self._run_together(decoding))
        return together(parts)

    def _run_together(self, chunks: Sequence[Chunk]) -> ForwardResult:
        """Let sequences decode together, or each alone where that fails."""
        result = run_once(self.compute, chunks)
        if not result.failures:
            return result
        _, error = result.failures[0]
        logger.warning("%d sequences failed together: %s", len(chunks), type(error).__name__)
        if is_out_of_memory(error):
            self._is_batched = False  # from now on they take turns
            empty_device_cache()
        return run_apart(self.compute, chunks)

    def forget(self, sequence: RunningSequence) -> None:
        """Drop the sequence's memory."""
        self._parked.pop(sequence, None)
        self._members = [None if member is sequence else member for member in self._members]
        if not any(self._members):
            self._members, self._batch = [], None

    def copy_blocks(self, pairs: Sequence[tuple[int, int]]) -> None:
        """Refuse: every sequence has its own memory, and blocks are only counted."""
        raise NotImplementedError("sequences that run plainly share nothing")

    def clear_blocks(self, blocks: Sequence[int]) -> None:
        """Nothing to clear: the memory goes when its sequence is forgotten."""

    @torch.inference_mode()
    def compute(self, chunks: Sequence[Chunk]) -> Tensor:
        """Compute chunks and return the scores of their scored tokens, [S, V]."""
        is_decoding = [self._decodes(chunk) for chunk in chunks]
        decoded = iter(self._decode(list(compress(chunks, is_decoding))))
        scores = [
            next(decoded).unsqueeze(0) if decodes else self._read(chunk)
            for chunk, decodes in zip(chunks, is_decoding, strict=True)
        ]
        return torch.cat(scores)

    def _decodes(self, chunk: Chunk) -> bool:
        """Whether a chunk is the next token of a sequence whose memory is at hand."""
        return (
            self._is_batched
            and chunk.start > 0
            and (chunk.count, chunk.scored) == (1, 1)
            and chunk.sequence.pool is None
            and (chunk.sequence in self._parked or chunk.sequence in self._members)
        )

    def _read(self, chunk: Chunk) -> Tensor:
        """Compute one chunk alone."""
        memory = self._parked.pop(chunk.sequence, None) if chunk.start else None
        if memory is None and chunk.start:
            chunk = replace(chunk, start=0, count=chunk.end)
        self.on_chunks([chunk])
        scores, memory = self._asking.read(chunk, memory)
        if memory is not None:
            self._parked[chunk.sequence] = memory
        return scores

    def _decode(self, chunks: Sequence[Chunk]) -> Tensor:
        """Compute one token of each sequence, [B, V] in their order."""
        if not chunks:
            return torch.empty(0)
        self._gather([chunk.sequence for chunk in chunks])
        assert self._batch is not None
        batch, members = self._batch, self._members
        self._batch, self._members = None, []  # until it is known to be sound
        row_of = {member: row for row, member in enumerate(members)}
        ordered = sorted(chunks, key=lambda chunk: row_of[chunk.sequence])
        self.on_chunks(ordered)
        logits = self._asking.decode([chunk.tokens[0] for chunk in ordered], batch)
        self._batch, self._members = batch, members
        return logits[[row_of[chunk.sequence] for chunk in chunks]]

    def _gather(self, wanted: Sequence[RunningSequence]) -> None:
        """Make the batch one of just these sequences, in any order."""
        chosen = set(wanted)
        before, rows = self._members, []
        for row, member in enumerate(before):
            if member in chosen:
                rows.append(row)
            elif member is not None:
                assert self._batch is not None
                self._parked[member] = pick(self._batch, [row])
        memories = []
        if rows:
            assert self._batch is not None
            memories.append(self._batch if len(rows) == len(before) else pick(self._batch, rows))
        staying = [before[row] for row in rows]
        newcomers = [sequence for sequence in wanted if sequence not in staying]
        memories += [self._parked.pop(sequence) for sequence in newcomers]
        self._batch, self._members = join(memories), [*staying, *newcomers]
