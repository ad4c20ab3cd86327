r"""What an answer may be held to: the forms a grammar has, as plain data, and their limits.

{"type": "json_object"}
{"type": "json_schema", "schema": {…}}
{"type": "regex", "regex": "…"}
{"type": "choice", "choices": ["…", …]}
{"type": "lark", "lark": "…"}                 llguidance's dialect of Lark
{"type": "calls", "functions": [{"name": "…", "parameters": {…}}, …], "most": 1,
"begin": "<tool_call>\n", "end": "\n</tool_call>", "separator": "\n",
"name_key": "name", "arguments_key": "arguments"}
"""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from inference.exceptions import InvalidRequestError

MAX_SCHEMA_BYTES = 65_536
MAX_SCHEMA_DEPTH = 32
MAX_SCHEMA_ENTRIES = 1_000
"""Properties and enumerated values of a schema, all of them together."""
MAX_GRAMMAR_CHARS = 10_000
"""Of a regular expression or a Lark grammar."""
MAX_CHOICES = 256
MAX_FUNCTIONS = 128
MAX_CALLS = 16

TEXT_FORMS = {"regex": "regex", "lark": "lark"}


def check_grammar(grammar: Mapping[str, Any]) -> None:
    """Accept a grammar that has one of the forms and is small enough to be compiled.

    Raises:
        InvalidRequestError: it is not, or has not; the message says where.
    """
    kind = grammar.get("type")
    match kind:
        case "json_object":
            return
        case "json_schema":
            check_schema(grammar.get("schema"))
        case "regex" | "lark":
            _check_text(grammar.get(TEXT_FORMS[kind]), kind)
        case "choice":
            _check_choices(grammar.get("choices"))
        case "calls":
            _check_calls(grammar)
        case _:
            raise InvalidRequestError(f"a grammar of the type {kind!r} is not known", param="type")


def check_schema(schema: Any, *, param: str = "schema") -> None:
    """Accept a JSON schema that is small enough.

    Raises:
        InvalidRequestError: it is no object, or too large, too deep or too rich.
    """
    if not isinstance(schema, Mapping):
        raise InvalidRequestError("a JSON schema must be an object", param=param)
    depth, entries = 0, 0
    for level, node in _nodes(schema):
        depth = max(depth, level)
        if depth > MAX_SCHEMA_DEPTH:
            raise InvalidRequestError(
                f"the schema is deeper than {MAX_SCHEMA_DEPTH} levels", param=param
            )
        properties, values = node.get("properties"), node.get("enum")
        entries += len(properties) if isinstance(properties, Mapping) else 0
        entries += len(values) if isinstance(values, Sequence) else 0
        if entries > MAX_SCHEMA_ENTRIES:
            raise InvalidRequestError(
                f"the schema has {entries} properties and enumerated values or more,"
                f" {MAX_SCHEMA_ENTRIES} are allowed",
                param=param,
            )
    size = len(json.dumps(schema, ensure_ascii=False).encode(errors="surrogatepass"))
    if size > MAX_SCHEMA_BYTES:
        raise InvalidRequestError(
            f"the schema has {size} bytes, {MAX_SCHEMA_BYTES} are allowed", param=param
        )


def _nodes(schema: Mapping[str, Any]) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """Yield every object of a schema with its depth; lists do not count as levels.

    It goes no deeper than the limit and one, so that depth costs nothing.
    """
    pending: list[tuple[int, Any]] = [(1, schema)]
    while pending:
        level, node = pending.pop()
        if isinstance(node, Mapping):
            yield level, node
            pending += [(level + 1, value) for value in node.values()]
        elif isinstance(node, list):
            pending += [(level, value) for value in node]


def _check_text(text: Any, kind: str) -> None:
    if not isinstance(text, str) or not text:
        raise InvalidRequestError(f"a grammar of the type {kind} needs a text", param=kind)
    if len(text) > MAX_GRAMMAR_CHARS:
        raise InvalidRequestError(
            f"the {kind} has {len(text)} characters, {MAX_GRAMMAR_CHARS} are allowed", param=kind
        )


def _check_choices(choices: Any) -> None:
    if not isinstance(choices, Sequence) or isinstance(choices, str) or not choices:
        raise InvalidRequestError("choices must be a list of texts", param="choices")
    if len(choices) > MAX_CHOICES:
        raise InvalidRequestError(
            f"there are {len(choices)} choices, {MAX_CHOICES} are allowed", param="choices"
        )
    if not all(isinstance(choice, str) and choice for choice in choices):
        raise InvalidRequestError("every choice must be a text", param="choices")
    _check_text("".join(choices), "choice")


def _check_calls(grammar: Mapping[str, Any]) -> None:
    functions = grammar.get("functions")
    if not isinstance(functions, Sequence) or not 1 <= len(functions) <= MAX_FUNCTIONS:
        raise InvalidRequestError(f"calls need 1 to {MAX_FUNCTIONS} functions", param="functions")
    for function in functions:
        check_schema(function["parameters"], param=f"functions.{function['name']}")
    most = grammar.get("most", 1)
    if not isinstance(most, int | float) or not math.isfinite(most) or not 1 <= most <= MAX_CALLS:
        raise InvalidRequestError(f"there may be 1 to {MAX_CALLS} calls", param="most")
