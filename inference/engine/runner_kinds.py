"""Which kind of runner a model needs: with a head or without, with an encoder or without."""

from transformers import PreTrainedModel

from inference.engine.config import EngineConfig
from inference.engine.encoder.choice import choose_text_runner
from inference.engine.encoder_decoder.choice import choose_encoder_decoder_runner
from inference.engine.probing import in_words
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
    choose = choose_text_runner
    if model.can_generate():
        is_pair = model.config.is_encoder_decoder
        choose = choose_encoder_decoder_runner if is_pair else choose_runner
    if is_led and choose is not choose_runner:
        kind = "is an encoder-decoder" if model.can_generate() else "has no head"
        raise ModelLoadError(f"{config.name} {kind}; it runs in one process only")
    try:
        return choose(model, config, context_length=context_length)
    except ModelLoadError:
        raise
    except Exception as error:  # the model itself cannot compute, whatever it raises
        raise ModelLoadError(
            f"{config.name} cannot be served by this engine: {in_words(error)}"
        ) from error


def stated_window(model: PreTrainedModel, name: str) -> int:
    """Return how many positions a model's configuration states.

    Args:
        model: whose.
        name: what it is called.

    Raises:
        ModelLoadError: it states none, as models without a table of positions may.
    """
    window = getattr(model.config.get_text_config(), "max_position_embeddings", None)
    if not isinstance(window, int):
        raise ModelLoadError(f"the configuration of {name} states no window; give a context length")
    return window
