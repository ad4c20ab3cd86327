"""Answers from a script: deterministic text made of the prompt, for tests and rehearsals."""

import asyncio
import hashlib
import re
from collections.abc import AsyncGenerator

from inference.bus.outbox import Output
from inference.exceptions import GenerationFailedError
from inference.generation import FinishReason, GenerationRequest, Usage
from inference.messages import Role

TOKEN = re.compile(r"\s*\w{1,8}|\s*[^\w\s]|\s+", re.UNICODE)
SENTENCES = (
    "Here is one way to see it.",
    "First, look at the facts that are given.",
    "Then take one step after the other.",
    "A short example makes it clear.",
    "In the end, both views have their place.",
    "I hope this helps.",
)
QUOTED_CHARACTERS = 80


def split_tokens(text: str) -> list[str]:
    """Cut text into the script's tokens: word parts and signs, with the space before them."""
    return TOKEN.findall(text)


def scripted_text(request: GenerationRequest) -> str:
    """Return the answer to a request: the same for the same model, messages and seed."""
    prompt = next(
        (entry.content for entry in reversed(request.messages) if entry.role is Role.USER), ""
    )
    parts = [request.model, *(entry.content for entry in request.messages)]
    seed = request.params.seed
    digest = hashlib.sha256("\x1f".join([*parts, str(seed)]).encode()).digest()
    start = digest[0] % len(SENTENCES)
    sentences = [*SENTENCES[start:], *SENTENCES[:start]][: 2 + digest[1] % 4]
    quoted = " ".join(prompt.split())[:QUOTED_CHARACTERS]
    return f"You said: {quoted}. " + " ".join(sentences)


def cut_at_stop(text: str, stop: tuple[str, ...]) -> str:
    """Return the text before the earliest stop string."""
    places = [text.find(entry) for entry in stop if entry]
    return text[: min((place for place in places if place >= 0), default=len(text))]


class ScriptedSource:
    """Writes `scripted_text` token by token.

    Args:
        token_delay_s: time for one token.
        fail_after_tokens: break off with an error after so many tokens; 0 never does.
    """

    def __init__(self, *, token_delay_s: float = 0.0, fail_after_tokens: int = 0) -> None:
        self._token_delay_s = token_delay_s
        self._fail_after_tokens = fail_after_tokens

    async def stream(self, request: GenerationRequest) -> AsyncGenerator[Output, None]:
        """Yield the answer; it respects `max_tokens`, `stop` and `seed`."""
        params = request.params
        tokens = split_tokens(cut_at_stop(scripted_text(request), params.stop))
        limit = len(tokens) if params.max_tokens is None else params.max_tokens
        is_cut = limit < len(tokens)
        for index, token in enumerate(tokens[:limit]):
            if self._fail_after_tokens and index >= self._fail_after_tokens:
                raise GenerationFailedError(
                    code="engine_error", message="the script breaks off here"
                )
            await asyncio.sleep(self._token_delay_s)
            yield Output(request.request_id, (token,))
        prompt_tokens = sum(len(split_tokens(entry.content)) for entry in request.messages)
        yield Output(
            request.request_id,
            finish_reason=FinishReason.LENGTH if is_cut else FinishReason.STOP,
            usage=Usage(prompt_tokens, min(limit, len(tokens))),
        )
