"""The further names that a request may set in a model's chat template."""

import re
from collections.abc import Mapping
from typing import Any

from inference.exceptions import InvalidRequestError

ALLOWED = frozenset(
    {"enable_thinking", "thinking", "thinking_budget", "reasoning_effort", "add_vision_id"}
)
"""What the templates of today's models read beside the conversation and its tools."""

WORD = re.compile(r"[a-z0-9_-]{1,32}")
LARGEST = 1_000_000


def check_template_options(options: Mapping[str, Any]) -> None:
    """Accept options that templates know, with values that say nothing to the model themselves.

    Raises:
        InvalidRequestError: an option is none of them, or its value is not true, false, a number
            or a short word.
    """
    for name, value in options.items():
        if name not in ALLOWED:
            raise InvalidRequestError(
                f"a chat template takes no {name[:100]!r}; it takes {', '.join(sorted(ALLOWED))}",
                param="chat_template_kwargs",
            )
        is_word = isinstance(value, str) and WORD.fullmatch(value)
        is_number = isinstance(value, int) and abs(value) <= LARGEST
        if not (is_word or is_number):
            raise InvalidRequestError(
                f"{name} must be true, false, a whole number or a short word",
                param="chat_template_kwargs",
            )
