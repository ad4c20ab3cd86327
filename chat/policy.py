"""What a prompt and its parameters must be like."""

from collections.abc import Mapping
from typing import Any

from chat.exceptions import (
    EmptyPromptError,
    InvalidParameterError,
    PromptTooLongError,
    TurnLimitError,
)
from inference.generation import SamplingParams

NUMBER_RANGES: dict[str, tuple[float, float]] = {"temperature": (0.0, 2.0), "top_p": (0.01, 1.0)}


def storable_text(text: str) -> str:
    """Return the text without what no database stores: NUL and half surrogate pairs."""
    return text.replace("\x00", "").encode("utf-8", "replace").decode("utf-8")


def checked_prompt(text: str, *, max_chars: int) -> str:
    """Return the prompt as it is stored: without outer blank space and unstorable characters.

    Raises:
        EmptyPromptError: nothing is left.
        PromptTooLongError: it has more than `max_chars` characters.
    """
    prompt = storable_text(text).strip()
    if not prompt:
        raise EmptyPromptError
    if len(prompt) > max_chars:
        raise PromptTooLongError(prompt_chars=len(prompt), limit_chars=max_chars)
    return prompt


def check_turn_count(turn_count: int, *, max_turns: int) -> None:
    """Refuse a turn beyond the last one allowed.

    Raises:
        TurnLimitError: the conversation has `max_turns` prompts already.
    """
    if turn_count >= max_turns:
        raise TurnLimitError(max_turns)


def checked_params(
    wanted: Mapping[str, Any], *, defaults: SamplingParams, max_tokens_limit: int
) -> SamplingParams:
    """Return the sampling parameters a visitor asks for, `defaults` where nothing is said.

    Args:
        wanted: any of temperature (0 to 2), top_p (0.01 to 1) and max_tokens (1 to the limit).
        defaults: what holds otherwise.
        max_tokens_limit: most tokens that may be asked for.

    Raises:
        InvalidParameterError: one of them is unknown, of another type or out of range.
    """
    values: dict[str, Any] = {}
    for name, value in wanted.items():
        if name in NUMBER_RANGES:
            values[name] = _number(name, value, *NUMBER_RANGES[name])
        elif name == "max_tokens":
            values[name] = int(_number(name, value, 1, max_tokens_limit, is_whole=True))
        else:
            message = f"the parameter {str(name)[:40]!r} is not known"
            raise InvalidParameterError(message)
    return SamplingParams.from_dict({**defaults.as_dict(), **values})


def _number(name: str, value: object, low: float, high: float, *, is_whole: bool = False) -> float:
    """Return a finite number of the range; true and false are not numbers here."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        message = f"{name} must be a number"
        raise InvalidParameterError(message)
    if not low <= value <= high:  # not-a-number is between nothing
        message = f"{name} must be between {low:g} and {high:g}"
        raise InvalidParameterError(message)
    if is_whole and value != int(value):
        message = f"{name} must be a whole number"
        raise InvalidParameterError(message)
    return float(value)
