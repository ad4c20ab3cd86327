"""Which class of transformers loads a model, read off its configuration."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import transformers
from transformers import (
    AutoModel,
    AutoModelForCausalLM,
    AutoModelForImageTextToText,
    AutoModelForSeq2SeqLM,
    PreTrainedConfig,
)

from inference.exceptions import ModelLoadError
from inference.loading.processors import reads_images
from inference.loading.text_encoders import has_head

ENCODER_HALF = "EncoderModel"
"""How the encoder of an encoder-decoder is called where it stands alone, as in sentence-t5."""

OWN_CLASSES = (AutoModelForCausalLM, AutoModelForSeq2SeqLM, AutoModel)
"""What a repository's own code may define, in the order it is taken."""

SIGN_OF_CODE = "trust_remote_code"


def auto_class_for(config: PreTrainedConfig) -> Any:
    """Return the class whose `from_pretrained` loads a model of this configuration.

    A repository that brings its own code says itself which of them it defines.
    """
    named = getattr(config, "auto_map", None) or {}
    if type(config).__module__.startswith("transformers_modules"):
        own = (kind for kind in OWN_CLASSES if kind.__name__ in named)
        return next(own, AutoModelForCausalLM)
    if not has_head(config):
        return _encoder_half(config) or AutoModel
    if reads_images(config):
        return AutoModelForImageTextToText
    return AutoModelForSeq2SeqLM if config.is_encoder_decoder else AutoModelForCausalLM


def _encoder_half(config: PreTrainedConfig) -> Any:
    """Return the class of an encoder that stands alone; None where the model is none."""
    name = next(iter(config.architectures or []), "")
    return getattr(transformers, name, None) if name.endswith(ENCODER_HALF) else None


@contextmanager
def naming_the_flag(name: str) -> Iterator[None]:
    """Say which option runs a repository's own code, where a model cannot be read without it.

    Args:
        name: of the model.

    Raises:
        ModelLoadError: the model needs its own code.
    """
    try:
        yield
    except ModelLoadError as error:
        if SIGN_OF_CODE not in str(error.__cause__):
            raise
        raise ModelLoadError(
            f"{name!r} brings Python code of its own, which this version of transformers has not;"
            " if you trust its authors, let it run with --trust-remote-code"
        ) from error
