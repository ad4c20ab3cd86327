"""What makes a vote worth counting: nobody named a model, and nobody votes too much."""

import hashlib
import json
import re
from collections.abc import Iterable, Mapping

# Shorter words ("R1", "AI") stand in too many honest sentences.
SHORTEST_TERM = 3
SEPARATORS = re.compile(r"[\s_./:-]+")


def identity_terms(*names: str) -> frozenset[str]:
    """Return the terms by which a model can be recognised, from its name, title and maker.

    A path such as `maker/model-7b` gives the whole and its last part.
    """
    wanted = {term for name in names for term in (name, name.rsplit("/", 1)[-1])}
    return frozenset(plain for term in wanted if len(plain := _plain(term)) >= SHORTEST_TERM)


def leaks_identity(
    texts: Iterable[str], *, terms_a: frozenset[str], terms_b: frozenset[str]
) -> bool:
    """Tell whether a text names one of the two models.

    A term that both sides share, such as a common maker, does not tell them apart.

    Args:
        texts: all prompts and answers of the battle.
        terms_a: what `identity_terms` returned for side A.
        terms_b: likewise for side B.
    """
    telling = terms_a ^ terms_b
    if not telling:
        return False
    # Not \b: a Chinese character beside a Latin name is no part of it.
    words = "|".join(re.escape(term) for term in sorted(telling))
    pattern = re.compile(rf"(?<![a-z0-9])(?:{words})(?![a-z0-9])")
    return any(pattern.search(_plain(text)) for text in texts)


def chained_hash(previous_hash: str, content: Mapping[str, object]) -> str:
    """Return the hash of a vote's content and of the vote before it, 64 hexadecimal digits.

    Args:
        previous_hash: the hash of the vote before, or 64 zeros for the first one.
        content: plain values; the order of the keys does not matter.
    """
    canonical = json.dumps(content, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(f"{previous_hash}\n{canonical}".encode("ascii")).hexdigest()


def _plain(text: str) -> str:
    """Return the text in one case, with every separator a single blank."""
    return SEPARATORS.sub(" ", text).casefold().strip()
