"""What a server's refusal means: statuses and error bodies as `ProviderError`s.

code                        when                                          tried again
provider_key_rejected       401, 403                                      no
provider_model_not_found    404                                           no
provider_quota_exceeded     402, or 429 that says the account is empty    no
provider_rate_limited       429                                           yes
provider_unavailable        5xx, or no connection                         yes
provider_timeout            408, or no connection in time                 yes
provider_silent             connected, and then no byte in time           no
provider_protocol           not what the documentation says               no
provider_setup              a package or a key file is missing here       no
provider_cut_off            the answer ended in the middle                no
context_length_exceeded     the prompt is too long for the model          no
content_filtered            the server's filter refused or broke off      no
invalid_request             any other 4xx                                 no
"""

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from inference.exceptions import ProviderError

RETRIED = frozenset({"provider_rate_limited", "provider_unavailable", "provider_timeout"})
DETAIL_CHARS = 500

SENTENCES = {
    "provider_key_rejected": "the model's server does not accept the site's key",
    "provider_model_not_found": "the model's server does not know the model",
    "provider_quota_exceeded": "the site's account at the model's server is used up",
    "provider_rate_limited": "the model's server is asked too often; try again in a moment",
    "provider_unavailable": "the model's server does not work at the moment",
    "provider_timeout": "the model's server took too long",
    "provider_silent": "the model's server fell silent",
    "provider_protocol": "the model's server sent something that cannot be read",
    "provider_cut_off": "the model's server broke off in the middle of the answer",
    "context_length_exceeded": "the conversation is too long for the model",
    "content_filtered": "the model's server withheld the answer: its content filter stepped in",
    "invalid_request": "the model's server refused the request",
}

STATUS_CODES = {
    401: "provider_key_rejected",
    402: "provider_quota_exceeded",
    403: "provider_key_rejected",
    404: "provider_model_not_found",
    408: "provider_timeout",
    413: "context_length_exceeded",
    429: "provider_rate_limited",
    500: "provider_unavailable",
    502: "provider_unavailable",
    503: "provider_unavailable",
    529: "provider_unavailable",
}

# What servers call it when the prompt is too long; sentences, as many of them send no code.
TOO_LONG = re.compile(
    r"context.?length|context.?window|maximum context|prompt is too long|too many tokens"
    r"|exceeds? the (?:model'?s? )?(?:maximum|limit)|input (?:is )?too long|max_total_tokens"
    r"|`?inputs?`? tokens? (?:\+|must)|token count .{0,40}exceeds",
    re.IGNORECASE,
)
FILTERED = re.compile(
    r"content.?filter|content.?policy|responsible.?ai|content management policy|blocked by safety"
    r"|moderation",
    re.IGNORECASE,
)
BUSY = re.compile(r"overload|unavailable|rate.?limit|throttl|capacity", re.IGNORECASE)
USED_UP = re.compile(r"insufficient.?(?:quota|funds|balance)|billing|credit balance", re.IGNORECASE)


def fault(
    code: str, detail: str = "", *, told: str = "", retry_after_s: float | None = None
) -> ProviderError:
    """Return the error of a code with the sentence visitors read.

    Args:
        code: one of the table above.
        detail: for the log.
        told: the server's own words, where visitors need them to change their request.
        retry_after_s: when the server wants to be asked again.
    """
    sentence = SENTENCES[code]
    message = f"{sentence}: {told}" if told else sentence
    return ProviderError(code, message, retry_after_s=retry_after_s, detail=detail[:DETAIL_CHARS])


def fault_of_words(words: str, *, default: str) -> str:
    """Return the code of an error that comes as words, such as an event in the stream."""
    if TOO_LONG.search(words):
        return "context_length_exceeded"
    if FILTERED.search(words):
        return "content_filtered"
    return default


def fault_of_event(data: Any, *, default: str = "provider_cut_off") -> ProviderError:
    """Return what an error object in the middle of a stream means.

    Args:
        data: the object; a status in it (`code`, `status`, `status_code`) says most.
        default: the code where neither a status nor the words say anything.
    """
    words = sentence_in(data)
    code = fault_of_words(words, default=STATUS_CODES.get(status_in(data), default))
    if code == default and BUSY.search(words):
        code = "provider_unavailable"
    return fault(code, words)


def status_in(data: Any) -> int:
    """Return the HTTP status that an error object names; 0 where it names none."""
    if isinstance(data, dict):
        inner = data.get("error")
        if isinstance(inner, dict):
            return status_in(inner)
        for name in ("code", "status_code", "status"):
            value = str(data.get(name, ""))
            if value.isdecimal() and len(value) == 3:
                return int(value)
    return 0


def fault_of_response(status: int, headers: Mapping[str, str], body: bytes) -> ProviderError:
    """Return what an answer with an error status means.

    Args:
        status: 300 to 599.
        headers: names in lower case.
        body: its beginning, in any format; JSON is searched for the usual places of a sentence.
    """
    words = words_of(body)
    detail = f"HTTP {status}: {words}"
    if status < 400:
        return fault("provider_protocol", f"{detail} (a redirect is not followed)")
    if status >= 500:
        code = "provider_unavailable"
    elif status in {400, 413, 422}:
        code = fault_of_words(words, default=STATUS_CODES.get(status, "invalid_request"))
    else:
        code = STATUS_CODES.get(status, "invalid_request")
    if code == "provider_rate_limited" and USED_UP.search(words):
        code = "provider_quota_exceeded"
    told = words[:300] if code == "invalid_request" else ""
    return fault(code, detail, told=told, retry_after_s=retry_after(headers))


def words_of(body: bytes) -> str:
    """Return the sentence in an error's body, wherever servers put it, with its code if any."""
    text = body.decode("utf-8", "replace").strip()
    try:
        return sentence_in(json.loads(text))
    except (ValueError, RecursionError):
        return " ".join(text.split())[:DETAIL_CHARS]


def sentence_in(data: Any) -> str:
    """Return code and sentence of an error object: OpenAI's, Google's, TGI's or FastAPI's."""
    if isinstance(data, list):
        return sentence_in(data[0]) if data else ""
    if not isinstance(data, dict):
        return str(data)[:DETAIL_CHARS]
    inner = data.get("error")
    if isinstance(inner, dict | list):
        return sentence_in(inner)
    names = ("code", "error_type", "type", "status", "message", "error", "detail", "Message")
    found = [str(data[name]) for name in names if data.get(name) is not None]
    return " ".join(" ".join(found).split())[:DETAIL_CHARS]


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds that `Retry-After` asks for, as a number or a date; None without it."""
    value = headers.get("retry-after", "").strip()
    if not value:
        return None
    try:
        return max(0.0, float(value)) if float(value) < float("inf") else None
    except ValueError:
        pass
    try:
        moment = parsedate_to_datetime(value)
    except ValueError:
        return None
    if moment.tzinfo is None:  # as the zone -0000 is read
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, (moment - datetime.now(UTC)).total_seconds())
