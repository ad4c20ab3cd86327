"""The intake of texts that become vectors: from what somebody asks to a request, or a refusal."""

from collections.abc import Sequence as Items
from typing import get_args

from transformers import PreTrainedTokenizerBase

from inference.engine.pooled_answer import PooledAnswer
from inference.engine.pooling import Pool
from inference.engine.prompts import PromptEncoder
from inference.engine.request import Request
from inference.engine.sequence import Sequence
from inference.exceptions import ContextLengthExceededError, InvalidRequestError
from inference.generation import Pooling


class EmbeddingIntake:
    """Checks texts and makes requests of them; may be used from any thread.

    Args:
        tokenizer: the model's.
        vocabulary_size: how many tokens the model knows.
        limit_tokens: how long a text may be.
        closing_tokens: what the tokenizer puts behind every text, such as BERT's `[SEP]`.
        pooling: how texts are pooled where nobody says.
        is_whole: whether a text must be read in one piece.
    """

    def __init__(
        self,
        tokenizer: PreTrainedTokenizerBase,
        *,
        vocabulary_size: int,
        limit_tokens: int,
        closing_tokens: Items[int],
        pooling: Pooling,
        is_whole: bool,
    ) -> None:
        self._encoder = PromptEncoder(tokenizer, template=None, vocabulary_size=vocabulary_size)
        self._limit_tokens = limit_tokens
        self._pooling: Pooling = pooling
        self._is_whole = is_whole
        self._closing_tokens = list(closing_tokens)

    def receive(
        self,
        request_id: str,
        *,
        text: str | None,
        token_ids: Items[int] | None,
        pooling: Pooling | None,
        normalize: bool,
        truncate: bool,
    ) -> Request:
        """Make a request of a text, or of its tokens.

        Raises:
            InvalidRequestError: not one of both is given, it is empty, it has a token the model
                lacks, or the pooling is unknown.
            ContextLengthExceededError: it is too long and not to be cut.
        """
        if pooling is not None and pooling not in get_args(Pooling):
            known = ", ".join(get_args(Pooling))
            raise InvalidRequestError(f"pooling must be one of {known}", param="pooling")
        tokens = self._fit(self._encode(text, token_ids), truncate=truncate)
        sequence = Sequence(
            request_id,
            tokens,
            prompt_tokens=len(tokens),
            max_tokens=0,
            pool=Pool(pooling or self._pooling),
            is_whole=self._is_whole,
        )
        return Request(request_id, [PooledAnswer(sequence, normalize)], returned_count=1)

    def _encode(self, text: str | None, token_ids: Items[int] | None) -> list[int]:
        if (text is None) == (token_ids is None):
            raise InvalidRequestError("give either a text or its token ids", param="input")
        if token_ids is not None:
            return self._encoder.take_tokens(token_ids).tokens
        if not text:  # a tokenizer may put tokens around nothing
            raise InvalidRequestError("the text is empty", param="input")
        return self._encoder.encode_text(text).tokens

    def _fit(self, tokens: list[int], *, truncate: bool) -> list[int]:
        """Cut a text that is too long at its end, but for the tokens that close every text."""
        if len(tokens) <= self._limit_tokens:
            return tokens
        if not truncate:
            raise ContextLengthExceededError(
                prompt_tokens=len(tokens), limit_tokens=self._limit_tokens
            )
        closing = self._closing_tokens
        if not closing or tokens[-len(closing) :] != closing or len(closing) >= self._limit_tokens:
            return tokens[: self._limit_tokens]
        return tokens[: self._limit_tokens - len(closing)] + closing
