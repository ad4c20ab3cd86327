"""What single tokens stand for: a text for people, and the exact bytes."""

import re
from functools import lru_cache
from typing import Any

from transformers import PreTrainedTokenizerBase

from inference.engine.logprobs import TokenLogprobs
from inference.generation import LikelyToken, TokenScore

BYTE_TOKEN = re.compile(r"<0x([0-9A-F]{2})>")
SPACE_MARK = "\N{LOWER ONE EIGHTH BLOCK}"
KEPT = 65_536


def byte_alphabet() -> dict[str, int]:
    """Return the byte each letter of a byte-level vocabulary stands for.

    Bytes that are printable Latin-1 characters stand for themselves, the others for characters
    from U+0100 on, in order.

    Source:
        Radford et al. 2019, "Language Models are Unsupervised Multitask Learners", section 2.2,
        and the code released with it.
    """
    plain = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in plain]
    return {chr(byte): byte for byte in plain} | {
        chr(256 + index): byte for index, byte in enumerate(others)
    }


class TokenTexts:
    """Writes out the tokens of one tokenizer one by one.

    Args:
        tokenizer: the model's.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase) -> None:
        self._tokenizer = tokenizer
        backend = getattr(tokenizer, "backend_tokenizer", None)
        self._alphabet = byte_alphabet() if "ByteLevel" in str(backend and backend.decoder) else {}
        self._added = {
            index: str(token.content) for index, token in tokenizer.added_tokens_decoder.items()
        }
        self.written = lru_cache(maxsize=KEPT)(self._written)

    def _written(self, token: int) -> tuple[str, bytes]:
        """Return a token's text, half characters as U+FFFD, and its bytes."""
        raw = self._raw(token)
        return raw.decode(errors="replace"), raw

    def _raw(self, token: int) -> bytes:
        if token in self._added:
            return self._added[token].encode()
        name: Any = self._tokenizer.convert_ids_to_tokens(token)
        if name is None:  # a score the model gives for a token that the tokenizer lacks
            return b""
        if self._alphabet and all(letter in self._alphabet for letter in name):
            return bytes(self._alphabet[letter] for letter in name)
        byte = BYTE_TOKEN.fullmatch(name)
        if byte is not None:
            return bytes.fromhex(byte[1])
        return str(name).replace(SPACE_MARK, " ").encode()

    def score(self, logprobs: TokenLogprobs) -> TokenScore:
        """Return log-probabilities with their tokens written out."""
        return TokenScore(
            self._likely(logprobs.token, logprobs.logprob),
            tuple(self._likely(token, logprob) for token, logprob in logprobs.top),
        )

    def _likely(self, token: int, logprob: float) -> LikelyToken:
        return LikelyToken(*self.written(token), logprob)
