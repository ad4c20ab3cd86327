"""Warming up: steps of the usual shapes before the first request, so that it need not wait."""

import logging

from inference.engine.block_manager import BlockManager
from inference.engine.config import EngineConfig
from inference.engine.model_runner import ModelRunner
from inference.engine.sequence import Chunk, Sequence

logger = logging.getLogger(__name__)


def warm_up(
    runner: ModelRunner, blocks: BlockManager, config: EngineConfig, *, context_length: int
) -> None:
    """Compute dummy steps: one full of prompt, and decoding ones of growing batches.

    Kernels that prepare themselves for a shape do so now, and memory that is taken at first use
    is taken. The blocks of an idle engine are borrowed and given back without a name, so no
    request ever meets what was computed.
    """
    prompt_tokens = min(config.max_batched_tokens, context_length)
    sequences = _placed(blocks, config, prompt_tokens)
    steps = [[_chunk(sequences[0], prompt_tokens)]] if sequences else []
    steps += [
        [_chunk(sequence, 1) for sequence in sequences[:size]] for size in batch_sizes(config)
    ]
    for chunks in steps:
        for _, error in runner.run(chunks).failures[:1]:
            logger.warning("%s failed while warming up: %s", config.name, type(error).__name__)
        for chunk in chunks:
            runner.forget(chunk.sequence)
    for sequence in sequences:
        blocks.release(sequence)


def batch_sizes(config: EngineConfig) -> list[int]:
    """Return the numbers of decoding sequences that are tried: powers of two, and every slot."""
    powers = [2**power for power in range(config.max_num_seqs.bit_length())]
    return sorted({*powers, config.max_num_seqs})


def _placed(blocks: BlockManager, config: EngineConfig, first_tokens: int) -> list[Sequence]:
    """Give as many dummy sequences their blocks as there are slots and room."""
    sequences = []
    for number in range(config.max_num_seqs):
        count = 1 if number else first_tokens
        sequence = Sequence(f"dummy {number}", [0] * count, prompt_tokens=count, max_tokens=1)
        blocks.settle(sequence, expected_tokens=count)
        if not blocks.grow(sequence, count):
            blocks.release(sequence)
            break
        sequences.append(sequence)
    return sequences


def _chunk(sequence: Sequence, count: int) -> Chunk:
    return Chunk(sequence, 0, count, scored=1)
