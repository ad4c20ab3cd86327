"""The options that say how one answer is sampled, named as FastChat names them."""

from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Callable
from typing import Any

from inference.generation import SamplingParams

T5_REPETITION_PENALTY = 1.2
"""What FastChat gives T5 models where nothing is asked: they repeat themselves without."""


def add_sampling_arguments(parser: ArgumentParser, *, max_new_tokens: int) -> None:
    """Declare them.

    Args:
        parser: the command's.
        max_new_tokens: the command's default for `--max-new-tokens`.
    """
    group = parser.add_argument_group("sampling")
    group.add_argument(
        "--temperature",
        type=number_within(0.0, 2.0),
        default=0.7,
        metavar="T",
        help="0 to 2; below 0.00001 the likeliest token is always taken (0.7)",
    )
    group.add_argument(
        "--repetition_penalty",
        "--repetition-penalty",
        type=number_within(0.01, 10.0),
        default=1.0,
        metavar="F",
        help="0.01 to 10; above 1 makes tokens that were said already less likely (1.0; a T5"
        f" model gets {T5_REPETITION_PENALTY})",
    )
    group.add_argument(
        "--max-new-tokens",
        type=whole_number,
        default=max_new_tokens,
        metavar="N",
        help=f"most tokens of an answer ({max_new_tokens}), at most half the model's window",
    )


def sampling_params(
    options: dict[str, Any], *, context_length: int = 0, architecture: str = ""
) -> SamplingParams:
    """Return the parsed options as parameters of an answer.

    A conversation that outgrows the window loses its beginning, as in FastChat.

    Args:
        options: the parsed options.
        context_length: the model's window in tokens; 0 where it is not known.
        architecture: the model's type, such as "t5".
    """
    penalty = options["repetition_penalty"]
    if penalty == 1.0 and "t5" in architecture:
        penalty = T5_REPETITION_PENALTY
    wanted = options["max_new_tokens"]
    return SamplingParams(
        temperature=options["temperature"],
        repetition_penalty=penalty,
        max_tokens=min(wanted, max(1, context_length // 2)) if context_length else wanted,
        truncate_prompt="left",
    )


def number_within(lowest: float, highest: float) -> Callable[[str], float]:
    """Return a reader of numbers in a closed range."""

    def read(text: str) -> float:
        try:
            number = float(text)
        except ValueError:
            number = float("nan")
        if not lowest <= number <= highest:
            raise ArgumentTypeError(f"{text!r} is not a number from {lowest:g} to {highest:g}")
        return number

    return read


def whole_number(text: str) -> int:
    """Return a whole number above 0.

    Raises:
        ArgumentTypeError: it is none, or larger than any window.
    """
    if not text.isascii() or not text.isdigit() or not 0 < int(text[:12]) < 2**31:
        raise ArgumentTypeError(f"{text!r} is not a whole number above 0")
    return int(text)
