"""The settings of the arena, read from `settings.ARENA`."""

from dataclasses import dataclass

from inference.conf import read_settings


@dataclass(frozen=True, slots=True)
class ArenaSettings:
    """What an operator may change; every key has its line in docs/reference/settings.md.

    Attributes:
        max_prompt_chars: longest prompt of a battle.
        temperature, top_p, max_tokens: how both sides are sampled.
        flush_hz: how often both sides are shown what they have, by one clock.
        pair_votes_per_day: most counted votes of one voter on one pair in 24 hours.
        votes_per_day: most counted votes of one voter in 24 hours.
        vote_counters: dotted paths of what is called with each vote inside its transaction.
    """

    max_prompt_chars: int = 12_000
    temperature: float = 0.7
    top_p: float = 1.0
    max_tokens: int = 1024
    flush_hz: float = 10.0
    pair_votes_per_day: int = 30
    votes_per_day: int = 300
    vote_counters: tuple[str, ...] = ()


def arena_settings() -> ArenaSettings:
    """Return the settings as they are now.

    Raises:
        ValueError: `ARENA` has a key that means nothing.
    """
    return read_settings(ArenaSettings, "ARENA")
