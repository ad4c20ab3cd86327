"""The tokenizer beside an adapter, where it was taught another chat template than its base."""

from pathlib import Path

from transformers import PreTrainedTokenizerBase

from inference.exceptions import ModelLoadError
from inference.loading.tokenizer import load_tokenizer


def own_tokenizer(folder: Path, base: PreTrainedTokenizerBase) -> PreTrainedTokenizerBase | None:
    """Return an adapter's tokenizer; None where the base's writes conversations the same.

    Args:
        folder: the adapter's.
        base: tokenizer of the model it is served on.

    Raises:
        ModelLoadError: it cannot be read, or gives tokens other numbers than the base does.
    """
    if not (folder / "tokenizer_config.json").is_file():
        return None
    own = load_tokenizer(folder)
    if own.chat_template is None or own.chat_template == base.chat_template:
        return None
    numbers = own.get_vocab()
    if any(numbers.get(token) != number for token, number in base.get_vocab().items()):
        raise ModelLoadError(
            f"{folder.name!r} has a tokenizer of its own that numbers tokens otherwise than its"
            " base; it was made for another one"
        )
    return own
