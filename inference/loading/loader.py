"""Load a model and its tokenizer onto a device."""

from dataclasses import dataclass
from typing import Any

from transformers import PreTrainedModel, PreTrainedTokenizerBase, ProcessorMixin

from inference.free_memory import return_unused_memory
from inference.generation import Pooling
from inference.loading.configuration import read_config
from inference.loading.context import context_length_of
from inference.loading.devices import check_device
from inference.loading.options import LoadOptions
from inference.loading.processors import load_processor
from inference.loading.settled_rotary import settle_rotary
from inference.loading.sources import find_model
from inference.loading.text_encoders import read_encoder_facts
from inference.loading.tokenizer import load_tokenizer
from inference.loading.weights import load_weights


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A model ready to be asked: evaluation mode, no gradients.

    Attributes:
        model: with its head, if its weights have one for generation.
        tokenizer: the model's.
        context_length: the window in tokens.
        pooling: how its texts become vectors.
        processor: prepares images for it; None where it takes none.
    """

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    context_length: int
    pooling: Pooling = "mean"
    processor: ProcessorMixin | None = None


def load_model(path_or_id: str, **options: Any) -> LoadedModel:
    """Load a model and its tokenizer; weights come from safetensors only.

    Headers are read first: a file that is cut off, and a model there is no memory for, are refused
    before a weight is read.

    Args:
        path_or_id: a folder, or a repository of the hub.
        options: fields of `LoadOptions`.

    Raises:
        ModelLoadError: something does not fit; the message says what to do.
    """
    asked = LoadOptions(**options)
    check_device(asked.device)
    has_own_weights = asked.checkpoint is None or asked.checkpoint.weights is None
    folder = find_model(
        path_or_id,
        revision=asked.revision,
        use_modelscope=asked.use_modelscope,
        with_code=asked.trust_remote_code,
        with_weights=has_own_weights,
    )
    config = read_config(folder, name=path_or_id, trust_remote_code=asked.trust_remote_code)
    facts = read_encoder_facts(folder)
    window = context_length_of(config)
    if facts.max_tokens is not None:
        window = min(window, facts.max_tokens)
    tokenizer = load_tokenizer(folder, trust_remote_code=asked.trust_remote_code)
    model = load_weights(folder, config, asked, window=window)
    settle_rotary(model, min(window, asked.context_length or window))
    return_unused_memory()
    processor = load_processor(folder, config)
    if processor is not None and processor.chat_template:
        tokenizer.chat_template = processor.chat_template  # the one that knows of images
    return LoadedModel(model, tokenizer, window, facts.pooling, processor)
