"""Numbers that depend on a key alone, so that every machine draws the same corpus."""

import hashlib


def stable_number(key: str) -> int:
    """Return a 64-bit number for a key, the same in every process and Python version."""
    return int.from_bytes(hashlib.blake2b(key.encode(), digest_size=8).digest(), "big")
