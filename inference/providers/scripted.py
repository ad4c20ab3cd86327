"""Answers from a script: deterministic, made of the prompt, for tests, demonstrations and load."""

import asyncio
import hashlib
import re
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from typing import Literal, assert_never

import numpy as np

from inference.bus.outbox import Output
from inference.exceptions import GenerationFailedError, QueueFullError
from inference.generation import (
    FinishReason,
    GenerationRequest,
    LikelyToken,
    TokenScore,
    Usage,
)
from inference.providers.scripted_answers import question_of, scripted_text, text_of_tokens
from inference.providers.wire.faults import fault
from inference.requests import AnyRequest, EmbeddingRequest, TokensRequest

TOKEN = re.compile(r"\s*\w{1,8}|\s*[^\w\s]|\s+", re.UNICODE)
VECTOR_WIDTH = 64
CONTEXT_LENGTH = 131_072
LOGPROB = -0.1

Fault = Literal["engine_error", "malformed", "hang"]
Refusal = Literal["", "429", "500"]


def split_tokens(text: str) -> list[str]:
    """Cut text into the script's tokens: word parts and signs, with the space before them."""
    return TOKEN.findall(text)


def cut_at_stop(text: str, stop: tuple[str, ...]) -> str:
    """Return the text before the earliest stop string."""
    places = [text.find(entry) for entry in stop if entry]
    return text[: min((place for place in places if place >= 0), default=len(text))]


def scripted_vector(text: str) -> np.ndarray:
    """Return the vector of a text: the mean of its words' random directions, float32 [D]."""
    words = re.findall(r"\w+|[^\w\s]", text.lower()) or [""]
    seeds = [int.from_bytes(hashlib.sha256(word.encode()).digest()[:8]) for word in words]
    directions = [np.random.default_rng(seed).standard_normal(VECTOR_WIDTH) for seed in seeds]
    mean = np.mean(directions, axis=0)
    return np.asarray(mean / max(float(np.linalg.norm(mean)), 1e-9), dtype="<f4")


@dataclass(frozen=True, slots=True)
class Script:
    """How a script behaves.

    Attributes:
        token_delay_s: time for one token.
        latency_s: time before the first one.
        chunk_tokens: tokens told together.
        fail_after_tokens: break after so many tokens; 0 never does.
        fault: how it breaks: an error, a server's answer that cannot be read, or silence.
        refusal: the status with which every request is refused; "" for none.
    """

    token_delay_s: float = 0.0
    latency_s: float = 0.0
    chunk_tokens: int = 1
    fail_after_tokens: int = 0
    fault: Fault = "engine_error"
    refusal: Refusal = ""


class ScriptedSource:
    """Says what `scripted_answers` writes token by token; makes vectors and tells tokens too.

    Args:
        script: how it behaves.
    """

    def __init__(self, script: Script | None = None) -> None:
        self._script = script or Script()

    async def stream(self, request: AnyRequest) -> AsyncGenerator[Output, None]:
        """Yield the answer; text respects `max_tokens`, `stop`, `seed`, `echo` and `logprobs`.

        Raises:
            InferenceError: the script refuses or breaks, or cannot follow a grammar.
        """
        self._refuse(request.model)
        await asyncio.sleep(self._script.latency_s)
        match request:
            case EmbeddingRequest():
                yield vectors_of(request)
            case TokensRequest():
                yield tokens_of(request)
            case GenerationRequest():
                async for output in self._say(request):
                    yield output

    async def _say(self, request: GenerationRequest) -> AsyncGenerator[Output, None]:
        params, asked = request.params, question_of(request)
        text = cut_at_stop(scripted_text(request), params.stop)
        tokens = split_tokens(text)
        limit = len(tokens) if params.max_tokens is None else params.max_tokens
        told = tokens[:limit]
        size = max(1, self._script.chunk_tokens)
        for start in range(0, len(told), size):
            chunk = told[start : start + size]
            await self._break_at(start)
            await asyncio.sleep(self._script.token_delay_s * len(chunk))
            pieces = [asked + chunk[0], *chunk[1:]] if params.echo and not start else chunk
            yield Output(
                request.request_id, tuple(pieces), scores=scores_of(chunk, params.logprobs)
            )
        read = [entry.content for entry in request.messages] or [asked]
        prompt = [token for text in read for token in split_tokens(text)]
        result = None
        if params.prompt_logprobs is not None:
            scores = scores_of(prompt, params.prompt_logprobs)
            result = {"prompt_scores": [None, *(score.as_list() for score in scores[1:])]}
        yield Output(
            request.request_id,
            finish_reason=FinishReason.LENGTH if limit < len(tokens) else FinishReason.STOP,
            usage=Usage(len(prompt), len(told)),
            result=result,
        )

    def _refuse(self, model: str) -> None:
        match self._script.refusal:
            case "":
                return
            case "429":
                raise QueueFullError(model, retry_after_s=1)
            case "500":
                raise GenerationFailedError(code="engine_error", message="the script refuses")
            case other:
                assert_never(other)

    async def _break_at(self, token: int) -> None:
        """Break where the script says."""
        if not self._script.fail_after_tokens or token < self._script.fail_after_tokens:
            return
        match self._script.fault:
            case "engine_error":
                message = "the script breaks off here"
                raise GenerationFailedError(code="engine_error", message=message)
            case "malformed":
                raise fault("provider_protocol", "a script that sends half a chunk")
            case "hang":
                await asyncio.Event().wait()
            case other:
                assert_never(other)


def scores_of(tokens: Sequence[str], top: int | None) -> tuple[TokenScore, ...]:
    """Return how likely the script finds its own tokens; nothing where nobody asked."""
    if top is None:
        return ()
    likely = [LikelyToken(token, token.encode(), LOGPROB) for token in tokens]
    others = [LikelyToken(f" {number}", f" {number}".encode(), -3.0) for number in range(top)]
    return tuple(TokenScore(token, (token, *others)[:top]) for token in likely)


def vectors_of(request: EmbeddingRequest) -> Output:
    """Return the vectors of texts."""
    texts = [text if isinstance(text, str) else text_of_tokens(text) for text in request.texts]
    return Output(
        request.request_id,
        finish_reason=FinishReason.STOP,
        usage=Usage(sum(len(split_tokens(text)) for text in texts), 0),
        result={
            "width": VECTOR_WIDTH,
            "vectors": b"".join(scripted_vector(text).tobytes() for text in texts),
        },
    )


def tokens_of(request: TokensRequest) -> Output:
    """Return the tokens of a text or a conversation: the numbers of its characters."""
    said = "\n".join(f"{entry.role}: {entry.content}" for entry in request.messages)
    text = said or request.text or text_of_tokens(request.tokens)
    return Output(
        request.request_id,
        finish_reason=FinishReason.STOP,
        usage=Usage(len(text), 0),
        result={
            "tokens": [ord(character) for character in text],
            "texts": list(text),
            "text": text,
            "context_length": CONTEXT_LENGTH,
        },
    )
