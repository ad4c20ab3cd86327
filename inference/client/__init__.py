"""Asking a model: start an answer, follow it, cancel it. The front door for web and commands."""

from inference.client.asking import cancel, complete_reply, follow, start, stream_reply
from inference.client.hub import close_client
from inference.client.live import check_bus, live_models, live_workers, tool_format_of
from inference.client.results import Embeddings, Tokens, embed, tokenize

__all__ = [
    "Embeddings",
    "Tokens",
    "cancel",
    "check_bus",
    "close_client",
    "complete_reply",
    "embed",
    "follow",
    "live_models",
    "live_workers",
    "start",
    "stream_reply",
    "tokenize",
    "tool_format_of",
]
