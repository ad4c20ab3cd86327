"""Whatever small schema a program sends, the script writes an instance of it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from inference.exceptions import InvalidRequestError
from inference.providers.instances import Inventor

TREE = {
    "$defs": {
        "node": {
            "type": "object",
            "properties": {
                "name": {"type": "string", "minLength": 3},
                "children": {"type": "array", "items": {"$ref": "#/$defs/node"}},
                "parent": {"anyOf": [{"type": "null"}, {"$ref": "#/$defs/node"}]},
            },
            "required": ["name", "children"],
            "additionalProperties": False,
        }
    },
    "$ref": "#/$defs/node",
}
LEAVES = st.one_of(
    st.just({}),
    st.just({"type": "boolean"}),
    st.just({"type": ["null", "string"]}),
    st.sampled_from(["date", "email", "uuid"]).map(lambda form: {"type": "string", "format": form}),
    st.integers(0, 30).map(lambda length: {"type": "string", "minLength": length}),
    st.integers(-50, 50).map(lambda least: {"type": "integer", "minimum": least}),
    st.integers(-50, 50).map(lambda most: {"type": "number", "exclusiveMaximum": most}),
    st.integers(1, 9).map(lambda step: {"type": "integer", "multipleOf": step, "minimum": 5}),
    st.lists(st.integers(), min_size=1, max_size=3).map(lambda values: {"enum": values}),
    st.text(max_size=5).map(lambda value: {"const": value}),
)
NAMES = st.text("abc", min_size=1, max_size=3)
SCHEMAS = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.dictionaries(NAMES, inner, max_size=3).map(
            lambda fields: {
                "type": "object",
                "properties": fields,
                "required": sorted(fields)[:1],
                "additionalProperties": False,
            }
        ),
        st.tuples(inner, st.integers(0, 3)).map(
            lambda pair: {"type": "array", "items": pair[0], "minItems": pair[1]}
        ),
        st.lists(inner, min_size=1, max_size=2).map(lambda options: {"anyOf": options}),
    ),
    max_leaves=8,
)


@given(schema=SCHEMAS, seed=st.integers(0, 255), prompt=st.sampled_from(["", "add 3 to 4.5 'x'"]))
def test_every_instance_is_valid_and_the_same_again(schema, seed, prompt) -> None:
    instance = Inventor(prompt, seed).instance(schema)

    Draft202012Validator(schema).validate(instance)
    assert Inventor(prompt, seed).instance(schema) == instance


def test_a_schema_that_refers_to_itself_ends() -> None:
    Draft202012Validator(TREE).validate(Inventor("").instance(TREE))


def test_parts_of_a_schema_are_joined() -> None:
    schema = {
        "allOf": [
            {"properties": {"a": {"type": "integer"}}, "required": ["a"]},
            {"properties": {"b": {"type": "string"}}, "required": ["b"]},
        ]
    }

    assert Inventor("7 'seven'").instance(schema) == {"a": 7, "b": "seven"}


def test_numbers_and_quoted_words_of_the_prompt_come_first() -> None:
    schema = {
        "type": "object",
        "properties": {
            "first": {"type": "integer"},
            "second": {"type": "integer"},
            "name": {"type": "string"},
        },
    }

    instance = Inventor("Add 1 and 22 for '你好啊集团' (Hello Group)").instance(schema)

    assert instance == {"first": 1, "second": 22, "name": "你好啊集团"}


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "string", "pattern": "^[0-9]{7}$"},
        {"$ref": "https://example.org/schema"},
        {"$ref": "#/$defs/missing"},
        {"$ref": "#"},
        {"type": "martian"},
        {"type": "array", "minItems": 10**9},
        {"not": {}},
        {"type": "object", "required": ["a"], "additionalProperties": False},
    ],
)
def test_a_schema_beyond_the_script_is_refused(schema) -> None:
    with pytest.raises(InvalidRequestError, match="no instance"):
        Inventor("").instance(schema)
