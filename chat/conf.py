"""The settings of the chat, read from `settings.CHAT`."""

from dataclasses import dataclass

from inference.conf import read_settings


@dataclass(frozen=True, slots=True)
class ChatSettings:
    """What an operator may change; every key has its line in docs/reference/settings.md.

    Attributes:
        max_prompt_chars: longest prompt of a chat.
        max_turns: most prompts in one conversation or battle.
        max_open_turns: most answers one visitor may have running; a battle takes two.
        prompts_per_minute: most prompts of one visitor.
        prompts_per_minute_network: most prompts of one network (/24 or /64).
        events_per_minute: most events of any kind over one socket.
        max_frame_bytes: longest event a socket takes.
        temperature, top_p, max_tokens: how a chat is sampled where the visitor does not say.
        max_tokens_limit: most tokens a visitor may ask for.
        save_every_s: how often a growing answer is stored.
        abandoned_after_s: an answer that nobody watches for so long is cancelled.
        expiry_grace_s: how long the log of a just stored request may be missing.
        settle_timeout_s: longest wait for the end of an answer to be stored.
        lost_after_s: an answer that is open for so long was lost with its process.
        moderator: dotted path of a callable without arguments that returns a `Moderator`.
        trusted_proxy_count: how many entries of X-Forwarded-For, counted from the right, are
            written by proxies of this site; 0 ignores the header.
    """

    max_prompt_chars: int = 12_000
    max_turns: int = 50
    max_open_turns: int = 6
    prompts_per_minute: int = 20
    prompts_per_minute_network: int = 120
    events_per_minute: int = 240
    max_frame_bytes: int = 64 * 1024
    temperature: float = 0.7
    top_p: float = 1.0
    max_tokens: int = 1024
    max_tokens_limit: int = 4096
    save_every_s: float = 3.0
    abandoned_after_s: float = 60.0
    expiry_grace_s: float = 5.0
    settle_timeout_s: float = 10.0
    lost_after_s: float = 900.0
    moderator: str = "chat.moderation.default_moderator"
    trusted_proxy_count: int = 0


def chat_settings() -> ChatSettings:
    """Return the settings as they are now.

    Raises:
        ValueError: `CHAT` has a key that means nothing.
    """
    return read_settings(ChatSettings, "CHAT")
