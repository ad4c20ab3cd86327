"""What a request may ask for: every number in its range, or a clear refusal."""

import math
from typing import Any

from inference.exceptions import InvalidRequestError
from inference.generation import SamplingParams

MAX_STOPS = 16
MAX_STOP_CHARACTERS = 500
MAX_STOP_TOKENS = 1_024
MAX_BIASES = 1_024
MAX_TOP_K = 2**31 - 1
MAX_PRIORITY = 10
MAX_GROUP_CHARACTERS = 200
MAX_CHOICES = 16
MAX_LOGPROBS = 20

RANGES: dict[str, tuple[float, float]] = {
    "temperature": (0.0, 2.0),
    "min_p": (0.0, 1.0),
    "presence_penalty": (-2.0, 2.0),
    "frequency_penalty": (-2.0, 2.0),
}
"""Closed ranges."""

POSITIVE_RANGES: dict[str, float] = {"top_p": 1.0, "repetition_penalty": 10.0}
"""Ranges that begin just above 0."""

WHOLE_RANGES: dict[str, tuple[int, int]] = {
    "top_k": (0, MAX_TOP_K),
    "max_tokens": (1, 2**31 - 1),
    "min_tokens": (0, 2**31 - 1),
    "logprobs": (0, MAX_LOGPROBS),
    "prompt_logprobs": (0, MAX_LOGPROBS),
    "n": (1, MAX_CHOICES),
    "best_of": (1, MAX_CHOICES),
    "seed": (-(2**63), 2**64 - 1),
}
"""Closed ranges of whole numbers."""

OPTIONAL = frozenset({"max_tokens", "logprobs", "prompt_logprobs", "best_of", "seed"})
"""Of these None is a value."""


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
    for name, (lowest, highest) in WHOLE_RANGES.items():
        _check_whole(name, getattr(params, name), lowest, highest)
    if params.truncate_prompt not in (None, "left"):
        raise _refusal("truncate_prompt", params.truncate_prompt, "'left' or None")
    _check_relations(params)
    _check_stops(params, vocabulary_size)
    _check_bias(params, vocabulary_size)


def _check_whole(name: str, value: Any, lowest: int, highest: int) -> None:
    if value is None and name in OPTIONAL:
        return
    if not _is_int(value) or not lowest <= value <= highest:
        raise _refusal(name, value, f"a whole number from {lowest} to {highest}")


def _check_relations(params: SamplingParams) -> None:
    if params.best_of is not None and params.best_of < params.n:
        raise _refusal("best_of", params.best_of, f"at least n ({params.n})")
    if params.max_tokens is not None and params.min_tokens > params.max_tokens:
        raise _refusal("min_tokens", params.min_tokens, f"at most max_tokens ({params.max_tokens})")


def _check_stops(params: SamplingParams, vocabulary_size: int) -> None:
    if len(params.stop) > MAX_STOPS:
        raise _refusal("stop", f"{len(params.stop)} texts", f"at most {MAX_STOPS} texts")
    for stop in params.stop:
        if not isinstance(stop, str) or not 0 < len(stop) <= MAX_STOP_CHARACTERS:
            raise _refusal("stop", stop, f"texts of 1 to {MAX_STOP_CHARACTERS} characters")
    if len(params.stop_token_ids) > MAX_STOP_TOKENS:
        given = f"{len(params.stop_token_ids)} ids"
        raise _refusal("stop_token_ids", given, f"at most {MAX_STOP_TOKENS} ids")
    for token in params.stop_token_ids:
        check_token("stop_token_ids", token, vocabulary_size)


def _check_bias(params: SamplingParams, vocabulary_size: int) -> None:
    if len(params.logit_bias) > MAX_BIASES:
        given = f"{len(params.logit_bias)} pairs"
        raise _refusal("logit_bias", given, f"at most {MAX_BIASES} pairs")
    for token, bias in params.logit_bias:
        check_token("logit_bias", token, vocabulary_size)
        if not _is_number(bias) or not -100 <= bias <= 100:
            raise _refusal("logit_bias", bias, "between -100 and 100")
    if len({token for token, _ in params.logit_bias}) < len(params.logit_bias):
        raise InvalidRequestError("logit_bias names a token twice", param="logit_bias")


def check_token(name: str, token: Any, vocabulary_size: int) -> None:
    """Accept the id of a token the model knows.

    Raises:
        InvalidRequestError: it is none; `param` is `name`.
    """
    if not _is_int(token) or not 0 <= token < vocabulary_size:
        raise _refusal(name, token, f"ids from 0 to {vocabulary_size - 1}")


def check_turn(priority: int, group: str) -> None:
    """Accept what decides when a request gets its turn.

    Raises:
        InvalidRequestError: the priority is out of range, or the group's name too long.
    """
    if not _is_int(priority) or abs(priority) > MAX_PRIORITY:
        raise _refusal(
            "priority", priority, f"a whole number from -{MAX_PRIORITY} to {MAX_PRIORITY}"
        )
    if not isinstance(group, str) or len(group) > MAX_GROUP_CHARACTERS:
        raise _refusal("group", group, f"a text of at most {MAX_GROUP_CHARACTERS} characters")


def _is_number(value: Any) -> bool:
    return _is_int(value) or (isinstance(value, float) and math.isfinite(value))


def _is_int(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _refusal(name: str, value: Any, allowed: str) -> InvalidRequestError:
    return InvalidRequestError(f"{name} must be {allowed}, not {_shown(value)}", param=name)


def _shown(value: Any) -> str:
    """The beginning of a value, at a cost that does not grow with it."""
    if isinstance(value, str):
        return repr(value[:40])
    if isinstance(value, int) and value.bit_length() > 128:
        return "a number that large"
    return repr(value)[:40] if isinstance(value, (int, float)) else f"a {type(value).__name__}"
