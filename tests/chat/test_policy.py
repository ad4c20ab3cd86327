"""Prompts and parameters: what is taken, what is refused."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat.exceptions import (
    ChatError,
    EmptyPromptError,
    InvalidParameterError,
    PromptTooLongError,
    TurnLimitError,
)
from chat.policy import check_turn_count, checked_params, checked_prompt, storable_text
from inference.generation import SamplingParams

DEFAULTS = SamplingParams(temperature=0.7, max_tokens=100)


@pytest.mark.parametrize("text", ["", "   ", "\n\t", "\x00", " \x00 \u3000"])
def test_an_empty_prompt_is_refused(text: str) -> None:
    with pytest.raises(EmptyPromptError):
        checked_prompt(text, max_chars=10)


def test_a_prompt_may_be_as_long_as_the_limit_and_no_longer() -> None:
    assert checked_prompt(" 你好世界 ", max_chars=4) == "你好世界"

    with pytest.raises(PromptTooLongError, match="5 characters, 4 are"):
        checked_prompt("你好世界!", max_chars=4)


@given(st.text(st.characters(exclude_categories=[]), max_size=50))
def test_whatever_is_taken_can_be_stored(text: str) -> None:
    stored = storable_text(text)

    stored.encode("utf-8")
    assert "\x00" not in stored


def test_the_last_turn_is_taken_and_the_next_refused() -> None:
    check_turn_count(49, max_turns=50)

    with pytest.raises(TurnLimitError, match="50"):
        check_turn_count(50, max_turns=50)


def test_parameters_replace_the_defaults() -> None:
    params = checked_params(
        {"temperature": 0, "top_p": 0.5, "max_tokens": 7}, defaults=DEFAULTS, max_tokens_limit=10
    )

    assert (params.temperature, params.top_p, params.max_tokens) == (0, 0.5, 7)
    assert checked_params({}, defaults=DEFAULTS, max_tokens_limit=10) == DEFAULTS


@pytest.mark.parametrize(
    "wanted",
    [
        {"temperature": -0.1},
        {"temperature": 2.1},
        {"temperature": "0.7"},
        {"temperature": True},
        {"temperature": None},
        {"temperature": float("nan")},
        {"temperature": float("inf")},
        {"top_p": 0},
        {"top_p": 1.5},
        {"max_tokens": 0},
        {"max_tokens": 11},
        {"max_tokens": 1.5},
        {"max_tokens": 10**400},
        {"stop": ["x"]},
        {"x" * 1000: 1},
    ],
)
def test_a_parameter_out_of_its_range_is_refused(wanted: dict[str, Any]) -> None:
    with pytest.raises(InvalidParameterError) as refused:
        checked_params(wanted, defaults=DEFAULTS, max_tokens_limit=10)

    assert isinstance(refused.value, ChatError)
    assert len(str(refused.value)) < 120
