"""How much one caller may ask: counted by key, or by address where there is no key."""

from functools import partial

from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle
from rest_framework.views import APIView

from inference import selectors
from inference.api.metering import Meter
from inference.api.refusals import QuotaExceeded, TokenRateExceeded
from inference.conf import inference_settings
from inference.models import ApiKey
from inference.rate_limit import WINDOW_S, Allowance, caller_address, home_of, spend, spend_one


class RequestRateThrottle(BaseThrottle):
    """Counts requests in whole minutes and tells the caller where it stands."""

    allowance: Allowance | None = None

    def allow_request(self, request: Request, view: APIView) -> bool:  # noqa: ARG002
        """Count the request; the allowance is left on it as `allowance` for the headers."""
        settings = inference_settings()
        if isinstance(request.auth, ApiKey):
            limit, caller = settings.api_requests_per_minute_per_key, f"key {request.auth.pk}"
            if request.auth.requests_per_minute is not None:
                limit = request.auth.requests_per_minute
        else:
            proxies = settings.trusted_proxy_count
            address = caller_address(request.META, trusted_proxy_count=proxies)
            limit, caller = (
                settings.api_requests_per_minute_per_address,
                f"address {home_of(address)}",
            )
        if limit <= 0:
            return True
        self.allowance = spend_one(scope="api", caller=caller, limit=limit)
        request.allowance = self.allowance  # type: ignore[attr-defined]  # read by ApiView
        return not self.allowance.is_exceeded

    def wait(self) -> float | None:
        """Return the seconds until the next minute begins."""
        return self.allowance.reset_s if self.allowance else None


class TokenThrottle(BaseThrottle):
    """Holds a key to its tokens a minute and to its budget.

    Answers count when they end, with their exact tokens, so the last ones that were let in may go
    beyond a limit; the next request is refused. What costs no tokens is let through.
    """

    def allow_request(self, request: Request, view: APIView) -> bool:  # noqa: ARG002
        """Leave where the key stands on the request as `token_allowance`, or refuse.

        Raises:
            TokenRateExceeded: the minute's tokens are used up.
            QuotaExceeded: the key's budget is.
        """
        key = request.auth
        if not isinstance(key, ApiKey):
            return True
        allowance = spend_tokens(key, 0)
        request.token_allowance = allowance  # type: ignore[attr-defined]  # read by ApiView
        if request.method != "POST":
            return True
        if allowance is not None and allowance.remaining == 0:
            raise TokenRateExceeded(wait=allowance.reset_s)
        if key.token_budget is not None and selectors.tokens_spent(key) >= key.token_budget:
            raise QuotaExceeded
        return True


def meter_for(request: Request) -> Meter | None:
    """Return what counts the use of the caller's key, if one came."""
    key = request.auth
    return Meter(key, partial(spend_tokens, key)) if isinstance(key, ApiKey) else None


def spend_tokens(key: ApiKey, tokens: int) -> Allowance | None:
    """Count tokens against a key's minute and tell where it stands; None sets no limit."""
    limit = key.tokens_per_minute
    if limit is None:
        limit = inference_settings().api_tokens_per_minute_per_key
    if limit <= 0:
        return None
    return spend(tokens, scope="api-tokens", caller=f"key {key.pk}", limit=limit)


def rate_headers(requests: Allowance | None, tokens: Allowance | None) -> dict[str, str]:
    """Return the headers that tell a program how much it may still ask, named as OpenAI does."""
    headers = {}
    for name, allowance in (("requests", requests), ("tokens", tokens)):
        if allowance is not None:
            headers[f"x-ratelimit-limit-{name}"] = str(allowance.limit)
            headers[f"x-ratelimit-remaining-{name}"] = str(allowance.remaining)
            headers[f"x-ratelimit-reset-{name}"] = duration(allowance.reset_s)
    return headers


def duration(seconds: int) -> str:
    """Return a time as OpenAI's headers write it, such as "6m0s"."""
    minutes, rest = divmod(seconds, WINDOW_S)
    return f"{minutes}m{rest}s" if minutes else f"{rest}s"
