"""How often one caller may ask: counted by key, or by address where there is no key."""

from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle
from rest_framework.views import APIView

from inference.conf import inference_settings
from inference.models import ApiKey
from inference.rate_limit import Allowance, caller_address, home_of, spend_one


class RequestRateThrottle(BaseThrottle):
    """Counts requests in whole minutes and tells the caller where it stands."""

    allowance: Allowance | None = None

    def allow_request(self, request: Request, view: APIView) -> bool:  # noqa: ARG002
        """Count the request; the allowance is left on it as `allowance` for the headers."""
        settings = inference_settings()
        if isinstance(request.auth, ApiKey):
            limit, caller = settings.api_requests_per_minute_per_key, f"key {request.auth.pk}"
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


def rate_headers(allowance: Allowance | None) -> dict[str, str]:
    """Return the headers that tell a program how much it may still ask."""
    if allowance is None:
        return {}
    return {
        "x-ratelimit-limit-requests": str(allowance.limit),
        "x-ratelimit-remaining-requests": str(allowance.remaining),
        "x-ratelimit-reset-requests": f"{allowance.reset_s}s",
    }
