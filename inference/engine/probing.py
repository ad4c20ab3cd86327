"""The probe: two short prompts by which a way of computing shows that it gives a model's scores."""

import math
from collections.abc import Callable

import torch
from torch import Tensor
from transformers import PreTrainedModel

from inference.engine.kv_cache import CacheShape
from inference.engine.model_runner import ModelRunner
from inference.engine.placement import input_device
from inference.engine.sequence import Chunk, Sequence

PROBE_TOKENS = 24
PROBE_SHAPE = CacheShape(rows=2, row_blocks=4, block_size=8)
PROBE_BLOCKS = ([5, 1, 3], [0, 2, 4])  # scattered, so that this way of reading is probed too
LARGEST_ERROR = 1e-3
LARGEST_ERROR_LOW_PRECISION = 5e-2
LARGEST_ERROR_QUANTIZED = 0.15
"""Activations are rounded to 8 bits too, and differently by batch: 24 layers made 0.06 of it."""
ROUNDING_FACTOR = 2.0
"""How much more rounding may do to one way than to another."""


@torch.inference_mode()
def own_scores(model: PreTrainedModel) -> Tensor:
    """Scores after each probe, [2, V], by the model's own attention, one prompt at a time."""
    device = input_device(model)
    rows = [
        model(input_ids=torch.tensor([tokens], device=device), use_cache=False).logits[0, -1]
        for tokens in probe_tokens(model)
    ]
    return torch.stack(rows)


def scores_by(runner: ModelRunner, model: PreTrainedModel, *, is_batched: bool) -> Tensor:
    """Scores after each probe, [2, V], by a runner, each prompt in two chunks."""
    sequences = [
        Sequence(
            f"probe {number}",
            tokens,
            prompt_tokens=len(tokens),
            max_tokens=1,
            blocks=list(blocks),
            runs=[(block, 1) for block in blocks],
        )
        for number, (tokens, blocks) in enumerate(
            zip(probe_tokens(model), PROBE_BLOCKS, strict=True)
        )
    ]
    middle = PROBE_TOKENS * 2 // 3
    groups = [sequences] if is_batched else [[sequence] for sequence in sequences]
    rows = []
    for group in groups:
        runner.compute([Chunk(sequence, 0, middle, scored=0) for sequence in group])
        rest = PROBE_TOKENS - middle
        chunks = [Chunk(sequence, middle, rest, scored=1) for sequence in group]
        rows.append(runner.compute(chunks))
    return torch.cat(rows)


def difference_of(found: Tensor, expected: Tensor) -> float:
    """How far scores are from the expected ones, as a share of their size; NaN where one is."""
    return float((found.float() - expected.float()).norm() / expected.float().norm())


def problem_of(
    runner: ModelRunner, model: PreTrainedModel, expected: Tensor, *, is_batched: bool
) -> str | None:
    """Say why a runner does not fit the model; None where it gives the expected scores."""
    try:
        found = scores_by(runner, model, is_batched=is_batched)
    except Exception as error:  # any refusal means: not this way
        return in_words(error)
    difference = difference_of(found, expected)
    if difference <= largest_error(model, expected):
        return None
    return f"its scores would differ by {difference:.1e}"


def in_words(error: Exception) -> str:
    """Return what went wrong, on one line."""
    return " ".join(f"{type(error).__name__}: {error}".split())


def largest_error(model: PreTrainedModel, expected: Tensor) -> float:
    """How far scores may be from the expected ones, as a share of their size."""
    if is_exact(model, expected):
        return LARGEST_ERROR
    return LARGEST_ERROR_QUANTIZED if _is_quantized(model) else LARGEST_ERROR_LOW_PRECISION


def is_exact(model: PreTrainedModel, expected: Tensor) -> bool:
    """Whether scores are computed in full precision.

    Some models turn them into float32 at last, whatever they are computed in.
    """
    return expected.dtype == model.dtype == torch.float32 and not _is_quantized(model)


def error_beside(reference: Callable[[], float], model: PreTrainedModel, expected: Tensor) -> float:
    """How far scores may be from the expected ones where a slower way has that error.

    In low precision a small mistake looks like rounding; next to what rounding does to the slower
    way it does not.

    Args:
        reference: tells the slower way's error, NaN where it failed; asked in low precision alone.
        model: whose scores.
        expected: by the model itself.
    """
    largest = largest_error(model, expected)
    if is_exact(model, expected):
        return largest
    rounding = reference()
    if math.isnan(rounding):
        return largest
    return min(largest, ROUNDING_FACTOR * rounding + 2 * LARGEST_ERROR)


def probe_tokens(model: PreTrainedModel) -> tuple[list[int], list[int]]:
    """Two prompts of ordinary tokens."""
    vocabulary: int = model.config.get_text_config().vocab_size
    first = [(7 + 13 * step) % vocabulary for step in range(PROBE_TOKENS)]
    return first, first[::-1]


def _is_quantized(model: PreTrainedModel) -> bool:
    """Whether the weights are 8- or 4-bit, whose kernels round differently by batch."""
    return getattr(model, "hf_quantizer", None) is not None
