"""Grammars are bounded before anybody compiles them."""

import pytest

from inference.exceptions import InvalidRequestError
from inference.grammars import MAX_SCHEMA_DEPTH, check_grammar, check_schema


def nested(depth: int) -> dict[str, object]:
    schema: dict[str, object] = {"type": "string"}
    for _ in range(depth):
        schema = {"items": schema}
    return schema


def test_a_schema_may_be_as_deep_as_the_limit() -> None:
    check_schema(nested(MAX_SCHEMA_DEPTH - 1))

    with pytest.raises(InvalidRequestError, match="deeper"):
        check_schema(nested(MAX_SCHEMA_DEPTH))


def test_depth_is_found_out_without_going_down() -> None:
    with pytest.raises(InvalidRequestError, match="deeper"):
        check_schema(nested(100_000))


@pytest.mark.parametrize(
    ("schema", "problem"),
    [
        ([], "object"),
        ({"properties": {str(n): {} for n in range(1_001)}}, "1001 properties"),
        ({"enum": list(range(1_001))}, "1001 properties"),
        ({"description": "x" * 70_000}, "bytes"),
    ],
)
def test_a_schema_that_is_too_rich_is_refused(schema: object, problem: str) -> None:
    with pytest.raises(InvalidRequestError, match=problem):
        check_grammar({"type": "json_schema", "schema": schema})


@pytest.mark.parametrize(
    "grammar",
    [
        {"type": "regex", "regex": "a" * 10_001},
        {"type": "regex"},
        {"type": "lark", "lark": 7},
        {"type": "choice", "choices": "yes"},
        {"type": "choice", "choices": ["a"] * 257},
        {"type": "choice", "choices": [""]},
        {"type": "calls", "functions": []},
        {"type": "calls", "functions": [{"name": "f", "parameters": {}}], "most": 17},
        {"type": "calls", "functions": [{"name": "f", "parameters": []}]},
        {},
    ],
)
def test_what_has_no_form_or_no_bounds_is_refused(grammar: dict[str, object]) -> None:
    with pytest.raises(InvalidRequestError):
        check_grammar(grammar)
