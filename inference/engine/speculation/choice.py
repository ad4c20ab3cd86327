"""Which proposer an engine uses, as its configuration says."""

import logging
from dataclasses import replace

from transformers import PreTrainedModel

from inference.engine.config import EngineConfig
from inference.engine.memory import default_share
from inference.engine.placement import input_device
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
    cache_tokens: int,
    vocabulary_size: int,
    can_take_back: bool,
) -> Speculator | None:
    """Return what lets sequences run ahead; None where it is off or the model cannot.

    Args:
        config: the engine's.
        sampler: the engine's.
        draft_model: a smaller model of the same tokenizer, for `speculation="draft"` alone.
        context_length: the engine's window.
        cache_tokens: tokens the large model's cache has room for.
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
            draft_model,
            config,
            context_length=context_length,
            cache_tokens=cache_tokens,
            vocabulary_size=vocabulary_size,
        )
    )
    return Speculator(proposer, sampler, most_tokens=config.draft_tokens)


def beside_draft_model(
    config: EngineConfig, model: PreTrainedModel, draft_model: PreTrainedModel | None
) -> EngineConfig:
    """Return the configuration that leaves a draft model's cache its part of the memory.

    Both caches have room for as many tokens; a size given in tokens is taken at its word.
    """
    if draft_model is None:
        return config
    own, other = cache_bytes_per_token(model), cache_bytes_per_token(draft_model)
    part = own / (own + other)
    if config.kv_cache_bytes is not None:
        return replace(config, kv_cache_bytes=max(1, int(config.kv_cache_bytes * part)))
    share = config.kv_memory_share or default_share(input_device(model))
    return replace(config, kv_memory_share=share * part)


def cache_bytes_per_token(model: PreTrainedModel) -> int:
    """Return about how many bytes a token takes in a model's cache, as its configuration says."""
    config = model.config.get_text_config()
    heads: int = config.num_attention_heads
    key_heads: int = getattr(config, "num_key_value_heads", None) or heads
    size: int = getattr(config, "head_dim", None) or config.hidden_size // heads
    layers: int = config.num_hidden_layers
    return 2 * layers * key_heads * size * model.dtype.itemsize
