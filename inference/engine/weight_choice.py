"""How a model's weights are kept once a way of computing it has been found."""

import logging
import math

from torch import Tensor
from transformers import PreTrainedModel

from inference.engine.config import EngineConfig
from inference.engine.decoder.fused_decoder import FusedDecoder
from inference.engine.decoder.fusing import pack
from inference.engine.decoder.packing import pack_linears, restore_linears
from inference.engine.model_runner import ModelRunner
from inference.engine.placement import input_device
from inference.engine.probing import difference_of, problem_of, scores_by
from inference.exceptions import ModelLoadError

logger = logging.getLogger(__name__)


def check_weights(model: PreTrainedModel, config: EngineConfig, *, is_fused: bool) -> None:
    """Refuse fewer bits where they cannot be had.

    Raises:
        ModelLoadError: the model is on another device, or not of a shape the decoder knows.
    """
    if config.weights == "as_loaded":
        return
    device = input_device(model).type
    if device != "cpu":
        raise ModelLoadError(
            f"{config.name} runs on {device}, and {config.weights} weights are for CPU;"
            " load it in 8 or 4 bits instead"
        )
    if not is_fused:
        raise ModelLoadError(
            f"{config.name} ({model.config.model_type}) is not of a shape whose weights can be kept"
            f" as {config.weights}"
        )


def lay_out_fused(
    model: PreTrainedModel,
    decoder: FusedDecoder,
    config: EngineConfig,
    *,
    runner: ModelRunner,
    expected: Tensor,
) -> None:
    """Lay a fused decoder's weights out as the configuration says, and look at what comes out.

    Args:
        model: whose decoder it is; its own weights are let go.
        decoder: has given the expected scores with the weights as they are.
        config: `weights` and `pack_weights`.
        runner: computes the decoder.
        expected: scores of the probes, [2, V].

    Raises:
        ModelLoadError: with fewer bits the scores are no numbers.
    """
    if config.weights == "as_loaded":
        if config.pack_weights:
            pack(model, decoder)
        return
    saved = pack(model, decoder, config.weights)
    difference = difference_of(scores_by(runner, model, is_batched=True), expected)
    if not math.isfinite(difference):
        raise ModelLoadError(f"{config.name} cannot be kept as {config.weights}")
    logger.info(
        "%s keeps its weights as %s: %.1f MB less, scores %.1e from the exact ones",
        config.name, config.weights, saved / 1e6, difference,
    )  # fmt: skip


def lay_out_linears(
    model: PreTrainedModel, config: EngineConfig, *, runner: ModelRunner, expected: Tensor
) -> None:
    """Pack the linear layers of a model that computes by itself, where it stays right.

    Some models use a layer's weight without calling the layer; those keep theirs.

    Args:
        model: has given the expected scores as it is.
        config: `pack_weights`.
        runner: computes the model.
        expected: scores of the probes, [2, V].
    """
    packed = pack_linears(model) if config.pack_weights else []
    if not packed:
        return
    problem = problem_of(runner, model, expected, is_batched=True)
    if problem is not None:
        restore_linears(packed)
        logger.warning("%s keeps its weights unpacked: %s", config.name, problem)
