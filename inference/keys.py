"""What an API key looks like, and the hash that is stored in its place."""

import hashlib
import re
import secrets

KEY_START = "fc_live_"
PUBLIC_BYTES = 4
SECRET_BYTES = 32
KEY_PATTERN = re.compile(r"fc_live_(?P<prefix>[0-9a-f]{8})_[A-Za-z0-9_-]{43}\Z")


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
