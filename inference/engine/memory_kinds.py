"""What a model remembers of its past, as far as its configuration tells."""

from transformers import DynamicCache, PreTrainedModel
from transformers.cache_utils import LinearAttentionCacheLayerMixin


def sees_all_keys(model: PreTrainedModel) -> bool:
    """Whether the past is keys and values alone, all of them or the latest ones in sight.

    Only such a model can run in the flat batch. A probe alone would not always notice another one:
    chunks that are never looked back over have thousands of tokens, and in low precision short
    prompts hardly show that states of two sequences were mixed.
    """
    return not (attends_in_chunks(model) or keeps_states(model))


def attends_in_chunks(model: PreTrainedModel) -> bool:
    """Whether layers see no further back than the beginning of a chunk, as in Llama 4."""
    kinds = getattr(model.config.get_text_config(), "layer_types", None) or ()
    return "chunked_attention" in kinds


def keeps_states(model: PreTrainedModel) -> bool:
    """Whether layers keep states of a fixed size, as in Mamba and its hybrids."""
    try:
        layers = DynamicCache(config=model.config).layers
    except Exception:  # a configuration that brings its own code, or knows of no such memory
        return False
    return any(isinstance(layer, LinearAttentionCacheLayerMixin) for layer in layers)
