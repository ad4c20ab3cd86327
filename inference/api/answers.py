"""The JSON of chat completions: whole answers and the chunks of a stream.

Source: OpenAI's API reference, "The chat completion object" and "The chat completion chunk object".
"""

import hashlib
import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from inference.generation import FinishReason, Usage


def _fingerprint_of(model: str) -> str:
    return f"fp_{hashlib.sha256(model.encode()).hexdigest()[:12]}"


@dataclass(frozen=True, slots=True)
class Heading:
    """What every piece of one completion repeats."""

    model: str
    id: str = field(default_factory=lambda: f"chatcmpl-{secrets.token_hex(16)}")
    created: int = field(default_factory=lambda: int(time.time()))

    def fields(self, kind: str) -> dict[str, Any]:
        """Return the repeated fields for an object of this kind."""
        return {
            "id": self.id,
            "object": kind,
            "created": self.created,
            "model": self.model,
            "system_fingerprint": _fingerprint_of(self.model),
        }


@dataclass(frozen=True, slots=True)
class Answer:
    """One finished choice."""

    text: str
    finish_reason: FinishReason | None
    usage: Usage | None


def completion(heading: Heading, answers: Sequence[Answer]) -> dict[str, Any]:
    """Return the whole completion, choices in the order of their indices."""
    choices = [
        {
            "index": index,
            "message": {"role": "assistant", "content": answer.text, "refusal": None},
            "logprobs": None,
            "finish_reason": answer.finish_reason,
        }
        for index, answer in enumerate(answers)
    ]
    usages = [answer.usage for answer in answers if answer.usage is not None]
    return heading.fields("chat.completion") | {"choices": choices, "usage": usage_of(usages)}


def chunk(
    heading: Heading,
    *,
    index: int,
    delta: dict[str, Any],
    finish_reason: FinishReason | None = None,
) -> dict[str, Any]:
    """Return one chunk about one choice."""
    choice = {
        "index": index,
        "delta": delta,
        "logprobs": None,
        "finish_reason": finish_reason,
    }
    return heading.fields("chat.completion.chunk") | {"choices": [choice]}


def usage_chunk(heading: Heading, usages: Sequence[Usage]) -> dict[str, Any]:
    """Return the last chunk of a stream that counts its tokens."""
    return heading.fields("chat.completion.chunk") | {"choices": [], "usage": usage_of(usages)}


def usage_of(usages: Sequence[Usage]) -> dict[str, Any]:
    """Return the counts of all choices: the prompt they share once, the answers together."""
    prompt_tokens = max((usage.prompt_tokens for usage in usages), default=0)
    completion_tokens = sum(usage.completion_tokens for usage in usages)
    return {
        "prompt_tokens": prompt_tokens,
        "completion_tokens": completion_tokens,
        "total_tokens": prompt_tokens + completion_tokens,
        "prompt_tokens_details": {
            "cached_tokens": max((usage.cached_tokens for usage in usages), default=0)
        },
    }
