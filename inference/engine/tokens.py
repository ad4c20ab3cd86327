"""A model's tokenizer for those who want tokens and no answer."""

import threading
from collections.abc import Sequence

from transformers import PreTrainedTokenizerBase

from inference.engine.token_texts import TokenTexts
from inference.exceptions import InvalidRequestError


class Tokens:
    """Reads and writes tokens; may be used from any thread.

    Args:
        tokenizer: the model's.
        vocabulary_size: how many tokens the model knows.

    Attributes:
        texts: writes out single tokens.
        opening: what the tokenizer puts in front of every text, such as BERT's `[CLS]`.
        closing: what it puts behind.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase, *, vocabulary_size: int) -> None:
        self._tokenizer = tokenizer
        self._vocabulary_size = vocabulary_size
        self._lock = threading.Lock()
        self.texts = TokenTexts(tokenizer)
        self.opening, self.closing = self._dressing()

    def _dressing(self) -> tuple[list[int], list[int]]:
        bare, dressed = self.encode("a"), self.encode("a", is_dressed=True)
        for start in range(len(dressed) - len(bare), -1, -1):
            end = start + len(bare)
            if dressed[start:end] == bare:
                return dressed[:start], dressed[end:]
        return [], []

    def encode(self, text: str, *, is_dressed: bool = False) -> list[int]:
        """Return the tokens of a text, with what goes around every text where wanted."""
        with self._lock:
            return list(self._tokenizer(text, add_special_tokens=is_dressed)["input_ids"])

    def decode(self, tokens: Sequence[int]) -> str:
        """Return the text of some tokens, special ones included.

        Raises:
            InvalidRequestError: the model does not know one of them.
        """
        unknown = [token for token in tokens if not 0 <= token < self._vocabulary_size]
        if unknown:
            raise InvalidRequestError(f"the model has no token {unknown[0]}", param="tokens")
        with self._lock:
            return str(self._tokenizer.decode(list(tokens)))

    def dress(self, tokens: Sequence[int]) -> list[int]:
        """Return tokens of a text with what goes around every text."""
        return [*self.opening, *tokens, *self.closing]
