"""What every piece of one completion repeats, and the counts at its end."""

import hashlib
import secrets
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from inference.generation import Usage


@dataclass(frozen=True, slots=True)
class Heading:
    """What every piece of one completion repeats.

    Attributes:
        model: who answers.
        prefix: how its id begins, by OpenAI's custom.
        token: the rest of its id, random.
        created: seconds since 1970.
    """

    model: str
    prefix: str = "chatcmpl"
    token: str = field(default_factory=lambda: secrets.token_hex(16))
    created: int = field(default_factory=lambda: int(time.time()))

    def fields(self, kind: str) -> dict[str, Any]:
        """Return the repeated fields for an object of this kind."""
        return {
            "id": f"{self.prefix}-{self.token}",
            "object": kind,
            "created": self.created,
            "model": self.model,
            "system_fingerprint": _fingerprint_of(self.model),
        }


def _fingerprint_of(model: str) -> str:
    return f"fp_{hashlib.sha256(model.encode()).hexdigest()[:12]}"


def usage_of(prompts: Iterable[Sequence[Usage]]) -> dict[str, Any]:
    """Return the counts of a request: every prompt once, all its answers together.

    Args:
        prompts: for each prompt the counts of its answers.
    """
    groups = [usages for usages in prompts if usages]
    prompt_tokens = sum(max(usage.prompt_tokens for usage in usages) for usages in groups)
    completion_tokens = sum(usage.completion_tokens for usages in groups for usage in usages)
    cached_tokens = sum(max(usage.cached_tokens for usage in usages) for usages in groups)
    return {
        "prompt_tokens": prompt_tokens,
        "completion_tokens": completion_tokens,
        "total_tokens": prompt_tokens + completion_tokens,
        "prompt_tokens_details": {"cached_tokens": cached_tokens},
    }
