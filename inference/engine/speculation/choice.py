"""Which proposer an engine uses, as its configuration says."""

import logging

from transformers import PreTrainedModel

from inference.engine.config import EngineConfig
from inference.engine.sampler import Sampler
from inference.engine.speculation.draft_model import make_draft_model
from inference.engine.speculation.prompt_lookup import PromptLookup
from inference.engine.speculation.speculator import Speculator

logger = logging.getLogger(__name__)


def make_speculator(
    config: EngineConfig,
    sampler: Sampler,
    *,
    draft_model: PreTrainedModel | None,
    context_length: int,
    vocabulary_size: int,
    can_take_back: bool,
) -> Speculator | None:
    """Return what lets sequences run ahead; None where it is off or the model cannot.

    Args:
        config: the engine's.
        sampler: the engine's.
        draft_model: a smaller model of the same tokenizer, for `speculation="draft"` alone.
        context_length: the engine's window.
        vocabulary_size: tokens the large model knows.
        can_take_back: whether the large model's memory of refused guesses can be dropped.

    Raises:
        ValueError: a draft model is missing, or given where none is used.
        ModelLoadError: the draft model cannot run ahead.
    """
    if (config.speculation == "draft") != (draft_model is not None):
        raise ValueError('a draft model belongs to speculation="draft" and to nothing else')
    if config.speculation == "off":
        return None
    if not can_take_back:
        logger.warning(
            "%s runs without speculation: its memory of a refused guess could not be dropped",
            config.name,
        )
        return None
    proposer = (
        PromptLookup()
        if draft_model is None
        else make_draft_model(
            draft_model, config, context_length=context_length, vocabulary_size=vocabulary_size
        )
    )
    return Speculator(proposer, sampler, most_tokens=config.draft_tokens)
