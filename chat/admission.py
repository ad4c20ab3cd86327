"""Who may prompt now: bans, prompts a minute, answers at the same time."""

import time

from django.core.cache import cache

from chat.conf import chat_settings
from chat.exceptions import BannedError, RateLimitedError, TooManyOpenTurnsError
from chat.selectors import is_banned, open_answers_of
from chat.services import close_lost_answers
from chat.visitors import Visitor

WINDOW_S = 60


def admit_prompt(visitor: Visitor, *, answer_count: int) -> None:
    """Let a visitor ask for so many answers at once, and count the prompt.

    Raises:
        BannedError: a moderator keeps the visitor out.
        TooManyOpenTurnsError: too many answers are being written for the visitor already.
        RateLimitedError: the visitor or the visitor's network has had its prompts of this minute.
    """
    limits = chat_settings()
    if is_banned(visitor):
        raise BannedError
    close_lost_answers(visitor=visitor)
    if open_answers_of(visitor).count() + answer_count > limits.max_open_turns:
        raise TooManyOpenTurnsError(limits.max_open_turns)
    _spend(f"prompt:visitor:{visitor.key}", limits.prompts_per_minute)
    _spend(f"prompt:network:{visitor.network}", limits.prompts_per_minute_network)


def _spend(name: str, limit_count: int) -> None:
    """Count once in the window that runs now."""
    now = time.time()
    key = f"rate:{name}:{int(now // WINDOW_S)}"
    cache.add(key, 0, timeout=2 * WINDOW_S)
    if cache.incr(key) > limit_count:
        raise RateLimitedError(retry_after_s=WINDOW_S - int(now % WINDOW_S))
