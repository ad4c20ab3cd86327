"""How a model without a head reads texts: in one row where that gives its own states."""

import logging
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from inference.engine.config import EngineConfig
from inference.engine.encoder.attention import TEXT_ATTENTION
from inference.engine.encoder.runner import EqualBatches, FlatTexts, TextForward, TextRunner
from inference.engine.kv_cache import CacheShape
from inference.engine.placement import input_device
from inference.engine.probing import LARGEST_ERROR, LARGEST_ERROR_LOW_PRECISION
from inference.engine.runner_choice import ChosenRunner, shape_for
from inference.engine.weight_choice import check_weights
from inference.exceptions import ModelLoadError

logger = logging.getLogger(__name__)

PROBE_LENGTHS = (5, 12, 12, 19)


def choose_text_runner(
    model: PreTrainedModel, config: EngineConfig, *, context_length: int
) -> ChosenRunner:
    """Return the faster runner that gives the model's own states.

    The model reads four texts one by one, then all of them through each runner. A model that runs
    in one row belongs to the engine from then on.

    Args:
        model: a model without a head.
        config: the engine's; blocks are only counted, and every slot has room for a window.
        context_length: the window.

    Raises:
        ModelLoadError: no way gives the model's own states, or its weights should be kept in
            fewer bits.
    """
    check_weights(model, config, is_fused=False)
    first_position, positions = position_room(model)
    if positions is not None:
        context_length = min(context_length, positions)
    shape = shape_for(config, config.kv_cache_tokens or 2**62, context_length)
    window = min(shape.tokens, context_length)
    original = model.config._attn_implementation  # noqa: SLF001 (the only place it is told)
    texts = _probe_texts(model)
    try:
        expected = _own_states(model, texts)
    except Exception as error:  # an encoder-decoder, a model of pictures, a state of its own kind
        raise ModelLoadError(
            f"{config.name} cannot be served by this engine: {type(error).__name__}: {error}"
        ) from error
    problem = _flatten(model)
    if problem is None:
        flat = FlatTexts(model, first_position=first_position)
        problem = _problem_of(flat, texts, expected, model)
        if problem is None:
            return _chosen("flat texts", flat, shape, window)
    logger.warning("%s reads only texts of equal length together: %s", config.name, problem)
    model.set_attn_implementation(original)
    batches = EqualBatches(model)
    problem = _problem_of(batches, texts, expected, model)
    if problem is not None:
        raise ModelLoadError(f"{config.name} cannot be served by this engine: {problem}")
    return _chosen("equal batches", batches, shape, window)


def _chosen(way: str, forward: TextForward, shape: CacheShape, window: int) -> ChosenRunner:
    return ChosenRunner(way, TextRunner(forward), None, shape, window, is_whole=True)


def position_room(model: PreTrainedModel) -> tuple[int, int | None]:
    """Return a text's first position, and how many positions there are from there.

    RoBERTa and its kin begin behind the place of padding, which shortens their window. None where
    positions are no table.
    """
    for name, module in model.named_modules():
        if name.endswith("position_embeddings") and isinstance(module, nn.Embedding):
            first = 0 if module.padding_idx is None else module.padding_idx + 1
            return first, module.num_embeddings - first
    return 0, None


def _flatten(model: PreTrainedModel) -> str | None:
    """Let the model attend in one row; say why where it refuses."""
    try:
        model.set_attn_implementation(TEXT_ATTENTION)
    except ValueError as error:
        return str(error)
    return None


def _probe_texts(model: PreTrainedModel) -> list[list[int]]:
    """Texts of ordinary tokens, two of them of the same length."""
    vocabulary: int = model.config.get_text_config().vocab_size
    padding = getattr(model.config, "pad_token_id", None)
    tokens = [(7 + 13 * step) % vocabulary for step in range(2 * sum(PROBE_LENGTHS))]
    ordinary = iter([token for token in tokens if token != padding])
    return [[next(ordinary) for _ in range(length)] for length in PROBE_LENGTHS]


@torch.inference_mode()
def _own_states(model: PreTrainedModel, texts: Sequence[list[int]]) -> Tensor:
    """States of all texts' tokens, [N, W], by the model itself, one text at a time."""
    device = input_device(model)
    states = []
    for text in texts:
        tokens = torch.tensor([text], device=device)
        output = model(input_ids=tokens, attention_mask=torch.ones_like(tokens))
        states.append(output.last_hidden_state[0])
    return torch.cat(states).float()


@torch.inference_mode()
def _problem_of(
    forward: TextForward, texts: Sequence[list[int]], expected: Tensor, model: PreTrainedModel
) -> str | None:
    """Say why a way of reading does not fit; None where it gives the expected states."""
    try:
        found = torch.cat(forward(texts)).float()
    except Exception as error:  # any refusal means: not this way
        return f"{type(error).__name__}: {error}"
    difference = float((found - expected).norm() / expected.norm())
    is_exact = model.dtype == torch.float32 and getattr(model, "hf_quantizer", None) is None
    if difference <= (LARGEST_ERROR if is_exact else LARGEST_ERROR_LOW_PRECISION):
        return None
    return f"its states would differ by {difference:.1e}"
