"""What is asked of a model beside answers: vectors of texts, tokens of a text."""

from collections.abc import Mapping
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

import numpy as np

from inference.client.asking import stream_reply
from inference.exceptions import GenerationFailedError
from inference.generation import Failure, Usage
from inference.requests import EmbeddingRequest, TokensRequest

CANCELLED = Failure("cancelled", "the request was stopped by the server")


@dataclass(frozen=True, slots=True)
class Embeddings:
    """Vectors of some texts.

    Attributes:
        vectors: one a row, float32 [N, D].
        usage: exact token counts.
    """

    vectors: np.ndarray
    usage: Usage


@dataclass(frozen=True, slots=True)
class Tokens:
    """Tokens and their text.

    Attributes:
        tokens: the ids.
        texts: each token written out alone.
        text: all of them written out together.
        context_length: the model's window in tokens.
    """

    tokens: tuple[int, ...]
    texts: tuple[str, ...]
    text: str
    context_length: int


async def embed(request: EmbeddingRequest) -> Embeddings:
    """Return the vectors of some texts.

    Raises:
        GenerationFailedError: the model could not make them.
        InferenceError: as `start`.
    """
    result, usage = await _result_of(request)
    vectors = np.frombuffer(result["vectors"], dtype="<f4").reshape(-1, result["width"])
    return Embeddings(vectors, usage)


async def tokenize(request: TokensRequest) -> Tokens:
    """Return the tokens of a text, or the text of tokens.

    Raises:
        GenerationFailedError: the model's tokenizer refused.
        InferenceError: as `start`.
    """
    result, _ = await _result_of(request)
    return Tokens(
        tuple(result["tokens"]), tuple(result["texts"]), result["text"], result["context_length"]
    )


async def _result_of(request: EmbeddingRequest | TokensRequest) -> tuple[Mapping[str, Any], Usage]:
    """Wait for the last delta and return what it carries."""
    async with aclosing(stream_reply(request)) as deltas:
        async for delta in deltas:
            if delta.result is not None:
                return delta.result, delta.usage or Usage(0, 0)
            if delta.is_last:
                failure = delta.failure or CANCELLED
                raise GenerationFailedError(code=failure.code, message=failure.message)
    raise GenerationFailedError(code=CANCELLED.code, message=CANCELLED.message)
