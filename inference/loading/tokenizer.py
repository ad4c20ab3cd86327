"""Load the tokenizer beside a model's weights, newer or older."""

from pathlib import Path

from transformers import AutoTokenizer, PreTrainedTokenizerBase

from inference.exceptions import ModelLoadError
from inference.loading.auto_classes import naming_the_flag
from inference.loading.refusals import telling

FILES = (
    "tokenizer.json",
    "tokenizer.model",
    "tokenizer_config.json",
    "vocab.json",
    "vocab.txt",
    "spiece.model",
    "sentencepiece.bpe.model",
    "source.spm",
    "tiktoken.model",
)
"""One of these is there where a tokenizer is."""


def load_tokenizer(folder: Path, *, trust_remote_code: bool = False) -> PreTrainedTokenizerBase:
    """Return the tokenizer of a model's folder.

    Old ones that are a sentencepiece model alone are read too.

    Raises:
        ModelLoadError: there is none, or its files cannot be read.
    """
    if not any((folder / name).is_file() for name in FILES) and not trust_remote_code:
        raise ModelLoadError(
            f"{folder.name!r} has no tokenizer (such as tokenizer.json); copy the tokenizer's files"
            " of the model it was made from beside its weights"
        )
    with (
        naming_the_flag(folder.name),
        telling(f"the tokenizer of {folder.name!r} cannot be read"),
    ):
        tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(
            folder, trust_remote_code=trust_remote_code
        )
    return tokenizer
