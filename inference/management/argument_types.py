"""Kinds of values that options take: sizes in bytes, shares, and names of chat templates."""

import re
from argparse import ArgumentTypeError

from inference.chat_templates.families import family_named
from inference.exceptions import InferenceError

UNITS = {"": 1, **{unit: 1000**power for power, unit in enumerate(("kb", "mb", "gb", "tb"), 1)}}
UNITS |= {unit: 1024**power for power, unit in enumerate(("kib", "mib", "gib", "tib"), 1)}


def parse_size(text: str) -> int:
    """Return the bytes of a size such as `4GiB`, `13Gib`, `500MB` or `1000000`.

    Raises:
        ArgumentTypeError: it is none, or not above 0.
    """
    match = re.fullmatch(r"(\d{1,15}(?:\.\d{1,6})?) ?([KMGT]i?B|)", text, re.IGNORECASE)
    size = int(float(match[1]) * UNITS[match[2].lower()]) if match else 0
    if size < 1:
        raise ArgumentTypeError(f"{text!r} is not a size such as 4GiB or 500MB")
    return size


def parse_gigabytes(text: str) -> tuple[int, ...]:
    """Return the bytes of sizes in GiB, one a device, such as `20,7`.

    Raises:
        ArgumentTypeError: it is no list of numbers above 0.
    """
    return tuple(parse_size(f"{part.strip()}GiB") for part in text.split(","))


def parse_share(text: str) -> float:
    """Return a number between 0 and 1.

    Raises:
        ArgumentTypeError: it is none.
    """
    try:
        share = float(text)
    except ValueError:
        share = 0.0
    if not 0 < share < 1:
        raise ArgumentTypeError(f"{text!r} is not a number between 0 and 1")
    return share


def known_template(text: str) -> str:
    """Return the name of a family of chat templates.

    Raises:
        ArgumentTypeError: there is none of that name; the message names those that sound alike.
    """
    try:
        return family_named(text).name
    except InferenceError as error:
        raise ArgumentTypeError(str(error)) from error
