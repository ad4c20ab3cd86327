"""How an encoder-decoder is run: answers side by side where that gives its own scores."""

import logging
import math
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from inference.engine.config import EngineConfig
from inference.engine.encoder_decoder.asking import EncoderDecoderAsking, opening_tokens
from inference.engine.placement import input_device
from inference.engine.plain.choice import decoded_scores
from inference.engine.plain.runner import PlainRunner
from inference.engine.probing import (
    difference_of,
    error_beside,
    in_words,
    largest_error,
    probe_tokens,
)
from inference.engine.runner_choice import ChosenRunner, shape_for
from inference.engine.weight_choice import check_weights
from inference.exceptions import ModelLoadError

logger = logging.getLogger(__name__)

SOURCE_TOKENS = (11, 6)
"""Of each probe the part that the encoder reads."""

SHORT_TOKENS = 15
"""Of the second probe, both parts, so that the rows differ in both lengths."""

WAYS = {True: "encoder-decoder", False: "encoder-decoder (one at a time)"}


def choose_encoder_decoder_runner(
    model: PreTrainedModel, config: EngineConfig, *, context_length: int
) -> ChosenRunner:
    """Return the first runner that gives the model's own scores.

    Args:
        model: a transformers model for sequences to sequences.
        config: the engine's; blocks are only counted.
        context_length: the encoder's window; a decoder whose positions are a table has no more
            than the table, any other one has the same window.

    Raises:
        ModelLoadError: neither way gives the model's own scores, or its weights should be kept in
            fewer bits.
    """
    check_weights(model, config, is_fused=False)
    window = min(context_length, table_size(model.get_encoder()) or context_length)
    opening = len(opening_tokens(model))
    answer_window = (table_size(model.get_decoder()) or window + opening) - opening
    shape = shape_for(config, config.kv_cache_tokens or 2**62, window + answer_window)
    if shape.tokens < window + answer_window:
        logger.warning("the KV cache of %s has room for %d tokens", config.name, shape.tokens)
        window = min(window, shape.tokens // 2)
        answer_window = min(answer_window, shape.tokens - window)
    batches = can_batch(model, config)
    runner = PlainRunner(EncoderDecoderAsking(model), is_batched=batches)
    chosen = ChosenRunner(WAYS[batches], runner, None, shape, window)
    return replace(chosen, is_whole=True, answer_window=answer_window)


def can_batch(model: PreTrainedModel, config: EngineConfig) -> bool:
    """Whether answers may go on side by side; else they take turns.

    Raises:
        ModelLoadError: the model's own scores do not come out even then.
    """
    expected = own_scores(model)
    alone = difference_of(_scores_by(model, is_batched=False), expected)
    if not alone <= largest_error(model, expected):
        raise ModelLoadError(
            f"{config.name} cannot be served by this engine: its scores would differ by {alone:.1e}"
        )
    try:
        together = difference_of(_scores_by(model, is_batched=True), expected)
        problem = f"its scores would differ by {together:.1e}"
    except Exception as error:  # whatever a model raises
        together, problem = math.inf, in_words(error)
    if together <= error_beside(lambda: alone, model, expected):
        return True
    logger.warning("answers of %s take turns: side by side %s", config.name, problem)
    return False


def table_size(part: Any) -> int | None:
    """Return how many positions an encoder or a decoder has; None where they are no table.

    Some tables begin behind places that are no position.
    """
    table = getattr(part, "embed_positions", None)
    if not isinstance(table, nn.Embedding):
        return None
    return int(table.num_embeddings) - int(getattr(table, "offset", 0))


@torch.inference_mode()
def own_scores(model: PreTrainedModel) -> Tensor:
    """Scores after each probe, [2, V], by the model itself, one probe at a time, no memory."""
    device = input_device(model)
    opening = opening_tokens(model)
    rows = []
    for tokens, source in zip(_probes(model), SOURCE_TOKENS, strict=True):
        output = model(
            input_ids=torch.tensor([tokens[:source]], device=device),
            decoder_input_ids=torch.tensor([opening + tokens[source:]], device=device),
            use_cache=False,
        )
        rows.append(output.logits[0, -1])
    return torch.stack(rows)


def _scores_by(model: PreTrainedModel, *, is_batched: bool) -> Tensor:
    runner = PlainRunner(EncoderDecoderAsking(model), is_batched=is_batched)
    return decoded_scores(runner, _probes(model), is_whole=True, prompts=SOURCE_TOKENS)


def _probes(model: PreTrainedModel) -> list[list[int]]:
    """Two sequences of ordinary tokens, prompt and answer."""
    long, other = probe_tokens(model)
    return [long, other[:SHORT_TOKENS]]
