"""Instances of JSON schemas: what a script answers where JSON is wanted."""

import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError, ValidationError
from referencing.exceptions import Unresolvable

from inference.exceptions import InvalidRequestError

DEPTH_OF_OPTIONS = 6
"""Deeper than this only what must be there is written, so that recursion ends."""
MAX_DEPTH = 48
MAX_ITEMS = 1_000
FORMATS = {
    "date": "2026-01-31",
    "date-time": "2026-01-31T12:00:00Z",
    "time": "12:00:00Z",
    "duration": "PT1H",
    "email": "someone@example.org",
    "hostname": "example.org",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
    "uri": "https://example.org/",
    "uuid": "00000000-0000-4000-8000-000000000000",
}
WORDS = ("amber", "basalt", "cedar", "delta", "ember", "fjord")
QUOTED = re.compile(
    r"['\"\u2018\u201c\u300c]([^'\"\u2019\u201d\u300d]{1,80})['\"\u2019\u201d\u300d]"
)
NUMBER = re.compile(r"(?<![\w.])-?\d{1,15}(?:\.\d{1,9})?(?![\w.]\d)")


def quoted_in(prompt: str) -> list[str]:
    """Return what stands between quotation marks."""
    return QUOTED.findall(prompt)


class Inventor:
    """Writes instances from what a prompt says: its numbers in order, its quoted words.

    The same prompt, seed and schema give the same instance.

    Args:
        prompt: where values are looked for first.
        seed: chooses among values where the prompt has none left.
    """

    def __init__(self, prompt: str, seed: int = 0) -> None:
        self._numbers: Iterator[float] = iter([float(text) for text in NUMBER.findall(prompt)])
        self._quoted = iter(quoted_in(prompt))
        self._seed = seed
        self._root: Mapping[str, Any] = {}

    def instance(self, schema: Mapping[str, Any]) -> Any:
        """Return an instance of a schema.

        Raises:
            InvalidRequestError: the schema is none, or none of its instances came to mind.
        """
        self._root = schema
        try:
            Draft202012Validator.check_schema(schema)
            value = self._value(schema, 0)
            Draft202012Validator(schema).validate(value)
        except (SchemaError, ValidationError, Unresolvable, RecursionError, re.error) as error:
            raise InvalidRequestError(
                f"the script knows no instance of the schema: {str(error)[:200]}", param="schema"
            ) from error
        return value

    def _value(self, schema: Any, depth: int) -> Any:
        if schema is True or schema == {}:
            return self._text({})
        if not isinstance(schema, Mapping) or depth > MAX_DEPTH:
            raise ValidationError("nothing fits")
        schema = self._resolved(schema, depth)
        for key in ("const", "default"):
            if key in schema:
                return schema[key]
        if schema.get("enum"):
            return schema["enum"][self._seed % len(schema["enum"])]
        return self._of_kind(_kind_of(schema), schema, depth)

    def _of_kind(self, kind: str, schema: Mapping[str, Any], depth: int) -> Any:
        match kind:
            case "object":
                return self._object(schema, depth)
            case "array":
                return self._array(schema, depth)
            case "integer" | "number":
                return self._number(schema, is_whole=kind == "integer")
            case "boolean":
                return self._seed % 2 == 0
            case "null":
                return None
            case _:
                return self._text(schema)

    def _resolved(self, schema: Mapping[str, Any], depth: int) -> Mapping[str, Any]:
        """Return the schema with references followed and alternatives decided."""
        merged = dict(schema)
        for _ in range(MAX_DEPTH):
            if "$ref" in merged:
                merged = {**self._target(str(merged.pop("$ref"))), **merged}
            elif parts := merged.pop("allOf", None):
                for part in parts:
                    merged = _merged(merged, self._resolved(part, depth))
            elif options := merged.pop("anyOf", None) or merged.pop("oneOf", None):
                merged = _merged(merged, self._chosen(options, depth))
            else:
                return merged
        raise ValidationError("references go in circles")

    def _chosen(self, options: list[Any], depth: int) -> Mapping[str, Any]:
        """Take the first alternative, deep inside the plainest."""
        maps = [option for option in options if isinstance(option, Mapping)]
        if depth >= DEPTH_OF_OPTIONS:
            maps.sort(key=lambda option: "$ref" in option or option.get("type") == "object")
        else:
            maps.sort(key=lambda option: option.get("type") == "null")
        return maps[0] if maps else {}

    def _target(self, reference: str) -> Mapping[str, Any]:
        place: Any = self._root
        if not reference.startswith("#"):
            raise ValidationError("references must stay inside the schema")
        for step in filter(None, reference[1:].split("/")):
            key = step.replace("~1", "/").replace("~0", "~")
            place = place.get(key) if isinstance(place, Mapping) else None
        if not isinstance(place, Mapping):
            raise ValidationError(f"there is no {reference}")
        return place

    def _object(self, schema: Mapping[str, Any], depth: int) -> dict[str, Any]:
        properties = schema.get("properties") or {}
        required = schema.get("required") or []
        names = [name for name in properties if name in required or depth < DEPTH_OF_OPTIONS]
        names += [name for name in required if name not in properties]
        other = schema.get("additionalProperties", True)
        value = {name: self._value(properties.get(name, other), depth + 1) for name in names}
        for number in range(schema.get("minProperties", 0) - len(value)):
            value[f"key_{number}"] = self._value(other, depth + 1)
        return value

    def _array(self, schema: Mapping[str, Any], depth: int) -> list[Any]:
        firsts = schema.get("prefixItems") or []
        least, most = schema.get("minItems", 0), schema.get("maxItems", MAX_ITEMS)
        wanted = max(least, min(len(firsts) or 1, most) if depth < DEPTH_OF_OPTIONS else 0)
        if wanted > MAX_ITEMS:
            raise ValidationError("the list is too long for a script")
        items = schema.get("items", True)
        values = []
        for place in range(wanted):
            value = self._value(firsts[place] if place < len(firsts) else items, depth + 1)
            if schema.get("uniqueItems") and value in values:
                value = f"{value} {place}" if isinstance(value, str) else value + place
            values.append(value)
        return values

    def _number(self, schema: Mapping[str, Any], *, is_whole: bool) -> float:
        lowest = schema.get("minimum", -math.inf)
        highest = schema.get("maximum", math.inf)
        step = schema.get("multipleOf") or (1 if is_whole else 0)
        if "exclusiveMinimum" in schema:
            lowest = max(lowest, schema["exclusiveMinimum"] + (step or 1e-6))
        if "exclusiveMaximum" in schema:
            highest = min(highest, schema["exclusiveMaximum"] - (step or 1e-6))
        value = next((number for number in self._numbers), float(self._seed % 10))
        value = min(max(value, lowest), highest)
        if step:
            value = math.ceil(value / step) * step
            value = value if value <= highest else math.floor(highest / step) * step
        return int(value) if float(value).is_integer() else value

    def _text(self, schema: Mapping[str, Any]) -> str:
        if schema.get("format") in FORMATS:
            return FORMATS[schema["format"]]
        least: int = schema.get("minLength", 0)
        most: int = schema.get("maxLength", 10_000)
        text = str(next(self._quoted, WORDS[self._seed % len(WORDS)]))[:most]
        if least > 10_000:
            raise ValidationError("the text is too long for a script")
        return text + "x" * max(0, least - len(text))


def _merged(first: Mapping[str, Any], second: Mapping[str, Any]) -> dict[str, Any]:
    """Return both schemas as one; properties and requirements are joined."""
    both = {**second, **first}
    for key in ("properties", "$defs"):
        if key in first and key in second:
            both[key] = {**second[key], **first[key]}
    if "required" in first and "required" in second:
        both["required"] = [*first["required"], *second["required"]]
    return both


def _kind_of(schema: Mapping[str, Any]) -> str:
    """Return the type of a schema, of several the first, and guess where it does not say it."""
    kind = schema.get("type")
    if isinstance(kind, list):
        return next((one for one in kind if one != "null"), "null")
    if kind:
        return str(kind)
    if "properties" in schema or "required" in schema or "additionalProperties" in schema:
        return "object"
    if "items" in schema or "prefixItems" in schema or "minItems" in schema:
        return "array"
    if any(key in schema for key in ("minimum", "maximum", "multipleOf")):
        return "number"
    return "string"
