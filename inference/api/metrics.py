"""What the API counts for `/metrics`."""

from collections.abc import Iterable

from prometheus_client import Counter, Histogram

from inference.generation import Usage

REQUESTS = Counter(
    "fastchat_api_requests", "Requests to the API by view and status.", ["view", "status"]
)
TOKENS = Counter("fastchat_api_tokens", "Tokens of finished API answers.", ["kind"])
FIRST_DELTA_S = Histogram(
    "fastchat_api_first_delta_seconds",
    "Time from a checked request to the first piece of its answer.",
    buckets=(0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30),
)


def count_usage(usages: Iterable[Usage]) -> None:
    """Count the tokens of answers that have ended."""
    for usage in usages:
        TOKENS.labels("prompt").inc(usage.prompt_tokens)
        TOKENS.labels("completion").inc(usage.completion_tokens)
