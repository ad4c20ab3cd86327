"""The page of limits is written from the table that the serializers read."""

import re
from pathlib import Path

from inference.api import limits

ROOT = Path(__file__).parents[3]
PAGE = ROOT / "docs/reference/limits.md"
SERIALIZERS = [path for path in (ROOT / "inference/api").rglob("*.py") if path.name != "limits.py"]
LITERAL_BOUND = re.compile(r"(?:max_length|min_length|max_value|min_value)=-?[0-9][0-9_]+")
INTRODUCTION = (
    "Every bound on what a program may send, both ends included. The table is"
    " `inference/api/limits.py`; fields are explained in the [reference](api.md)."
)


def written(number: float) -> str:
    """Return a number as the page has it."""
    return f"{number:,.6f}".rstrip("0").rstrip(".")


def page_of_limits() -> str:
    """Return the page as it must be: put this into the file when a limit changes."""
    ranges = [
        f"| `{name}` | {written(bounds.lowest)} | {written(bounds.highest)} |"
        for name, bounds in sorted(limits.RANGES.items())
    ]
    others = [
        f"| `{name}` | {value:,} |"
        for name, value in sorted(vars(limits).items())
        if name.isupper() and isinstance(value, int)
    ]
    return "\n".join(
        [
            "# Limits of the API",
            "",
            INTRODUCTION,
            "",
            "| number | lowest | highest |",
            "|---|---|---|",
            *ranges,
            "",
            "| most | |",
            "|---|---|",
            *others,
            "",
        ]
    )


def test_the_page_says_what_the_table_says():
    assert PAGE.read_text(encoding="utf-8") == page_of_limits()


def test_no_serializer_has_bounds_of_its_own():
    found = [hit for path in SERIALIZERS for hit in LITERAL_BOUND.findall(path.read_text("utf-8"))]

    assert found == []
