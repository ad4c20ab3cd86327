"""What a request may ask for: every number in its range, or a clear refusal."""

import math
from typing import Any

from inference.exceptions import InvalidRequestError
from inference.generation import SamplingParams

MAX_STOPS = 16
MAX_STOP_CHARACTERS = 500
MAX_TOP_K = 2**31 - 1

RANGES: dict[str, tuple[float, float]] = {
    "temperature": (0.0, 2.0),
    "min_p": (0.0, 1.0),
    "presence_penalty": (-2.0, 2.0),
    "frequency_penalty": (-2.0, 2.0),
    "top_k": (0, MAX_TOP_K),
}
"""Closed ranges."""

POSITIVE_RANGES: dict[str, float] = {"top_p": 1.0, "repetition_penalty": 10.0}
"""Ranges that begin just above 0."""


def check_params(params: SamplingParams, *, vocabulary_size: int) -> None:
    """Accept sampling parameters the engine can follow.

    Raises:
        InvalidRequestError: a value is outside its range; `param` names it.
    """
    for name, (lowest, highest) in RANGES.items():
        value = getattr(params, name)
        if not _is_number(value) or not lowest <= value <= highest:
            raise _refusal(name, value, f"between {lowest:g} and {highest:g}")
    for name, highest in POSITIVE_RANGES.items():
        value = getattr(params, name)
        if not _is_number(value) or not 0 < value <= highest:
            raise _refusal(name, value, f"above 0 and at most {highest:g}")
    if params.max_tokens is not None and not (_is_int(params.max_tokens) and params.max_tokens > 0):
        raise _refusal("max_tokens", params.max_tokens, "a whole number of at least 1")
    if params.seed is not None and not _is_int(params.seed):
        raise _refusal("seed", params.seed, "a whole number")
    _check_stops(params, vocabulary_size)


def _check_stops(params: SamplingParams, vocabulary_size: int) -> None:
    if len(params.stop) > MAX_STOPS:
        raise _refusal("stop", f"{len(params.stop)} texts", f"at most {MAX_STOPS} texts")
    for stop in params.stop:
        if not isinstance(stop, str) or not 0 < len(stop) <= MAX_STOP_CHARACTERS:
            raise _refusal("stop", stop, f"texts of 1 to {MAX_STOP_CHARACTERS} characters")
    for token in params.stop_token_ids:
        if not _is_int(token) or not 0 <= token < vocabulary_size:
            raise _refusal("stop_token_ids", token, f"ids from 0 to {vocabulary_size - 1}")


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and math.isfinite(value)


def _is_int(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _refusal(name: str, value: Any, allowed: str) -> InvalidRequestError:
    shown = f"{value!r}"[:40]
    return InvalidRequestError(f"{name} must be {allowed}, not {shown}", param=name)
