"""Which kind of runner a model needs: with a head or without, with an encoder or without."""

from transformers import PreTrainedModel

from inference.engine.config import EngineConfig
from inference.engine.encoder.choice import choose_text_runner
from inference.engine.encoder_decoder.choice import choose_encoder_decoder_runner
from inference.engine.runner_choice import ChosenRunner, choose_runner
from inference.exceptions import ModelLoadError


def choose_any_runner(
    model: PreTrainedModel, config: EngineConfig, *, context_length: int, is_led: bool
) -> ChosenRunner:
    """Return the fastest runner that gives the model's own scores, or states.

    Args:
        model: belongs to the engine from now on.
        config: the engine's.
        context_length: the window; of an encoder-decoder the encoder's.
        is_led: whether other processes hold parts of the model.

    Raises:
        ModelLoadError: no way gives the model's own scores, or this kind does not run in several
            processes.
    """
    if model.can_generate() and not model.config.is_encoder_decoder:
        return choose_runner(model, config, context_length=context_length)
    if is_led:
        kind = "is an encoder-decoder" if model.can_generate() else "has no head"
        raise ModelLoadError(f"{config.name} {kind}; it runs in one process only")
    if model.can_generate():
        return choose_encoder_decoder_runner(model, config, context_length=context_length)
    return choose_text_runner(model, config, context_length=context_length)
