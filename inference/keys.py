"""What an API key looks like, the hash that is stored in its place, and what a key may do."""

import hashlib
import re
import secrets
from dataclasses import dataclass

KEY_START = "fc_live_"
PUBLIC_BYTES = 4
SECRET_BYTES = 32
KEY_PATTERN = re.compile(r"fc_live_(?P<prefix>[0-9a-f]{8})_[A-Za-z0-9_-]{43}\Z")

SCOPES = ("chat", "completions", "embeddings", "responses", "tokens", "moderations", "models")
"""What parts of the API a key can be held to."""
MAX_KEY_MODELS = 256


@dataclass(frozen=True, slots=True)
class KeyTerms:
    """What a key may do; the defaults hold it to nothing but the site's own limits.

    Attributes:
        scopes: parts of the API it opens, of `SCOPES`; empty opens all.
        models: names of the models it may use; empty allows all that are listed.
        requests_per_minute: most requests; None takes the site's setting, 0 sets no limit.
        tokens_per_minute: most tokens, prompts and answers together; None and 0 likewise.
        token_budget: tokens it may use in all, or a month; None sets no budget.
        budget_period: what the budget is for, "total" or "month".
    """

    scopes: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    token_budget: int | None = None
    budget_period: str = "total"


def new_key() -> str:
    """Return a fresh key: `fc_live_`, 8 public hexadecimal digits, `_`, 256 random bits."""
    return f"{KEY_START}{secrets.token_hex(PUBLIC_BYTES)}_{secrets.token_urlsafe(SECRET_BYTES)}"


def prefix_of(key: str) -> str | None:
    """Return the public digits of a key, or None where the text is not shaped like one."""
    match = KEY_PATTERN.match(key)
    return match["prefix"] if match else None


def hash_of(key: str) -> str:
    """Return the SHA-256 of a key as 64 hexadecimal digits.

    A fast hash is right here: 256 random bits cannot be guessed, however cheap a guess is.
    """
    return hashlib.sha256(key.encode()).hexdigest()
