"""Sequences at places of one's own choosing, and the flat batches of their last tokens."""

from collections.abc import Sequence as Items

from inference.engine.flat_batch import FlatBatch, lay_out
from inference.engine.kv_cache import CacheShape
from inference.engine.sequence import Chunk, Sequence


def placed(request_id: str, tokens: int, blocks: Items[int]) -> Sequence:
    """A sequence of so many tokens in these blocks."""
    sequence = Sequence(request_id, list(range(tokens)), prompt_tokens=tokens, max_tokens=1)
    for block in blocks:
        sequence.add_block(block)
    return sequence


def batch_of(sequences: Items[Sequence], counts: Items[int], shape: CacheShape) -> FlatBatch:
    """The flat batch of the last tokens of some sequences, so many of each."""
    chunks = [
        Chunk(sequence, len(sequence.tokens) - count, count, scored=1)
        for sequence, count in zip(sequences, counts, strict=True)
    ]
    return lay_out(chunks, shape)
