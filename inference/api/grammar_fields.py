"""Fields that hold an answer to a form: OpenAI's `response_format` and vLLM's guided decoding.

Each becomes a grammar as `inference.grammars` writes it; only one of them may be given.
"""

from collections.abc import Mapping
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.exceptions import ParseError

from inference import grammars
from inference.api import limits
from inference.api.fields import TextField
from inference.api.parsing import decoded
from inference.exceptions import InvalidRequestError

Grammar = Mapping[str, Any]

JSON_OBJECT: Grammar = {"type": "json_object"}
OUTPUT_FORMS = ("json", "regex", "choice", "grammar", "json_object")


def checked(grammar: Grammar, *, param: str) -> Grammar:
    """Return a grammar that can be compiled.

    Raises:
        InvalidRequestError: it is malformed or too large; `param` is the field's path.
    """
    try:
        grammars.check_grammar(grammar)
    except InvalidRequestError as error:
        raise InvalidRequestError(f"{param}: {error}", param=param) from error
    return grammar


def json_grammar(schema: Any, *, param: str) -> Grammar:
    """Return the grammar of a JSON schema that is an object, or one written as text.

    Raises:
        InvalidRequestError: it is no schema, or too large.
    """
    if isinstance(schema, str):
        if len(schema) > grammars.MAX_SCHEMA_BYTES:
            raise InvalidRequestError(
                f"{param}: the schema has {len(schema)} characters,"
                f" {grammars.MAX_SCHEMA_BYTES} are allowed",
                param=param,
            )
        try:
            schema = decoded(schema.encode(errors="replace"))
        except ParseError as error:
            raise InvalidRequestError(f"{param}: {error.detail}", param=param) from error
    return checked({"type": "json_schema", "schema": schema}, param=param)


def output_grammar(form: str, value: Any, *, param: str) -> Grammar | None:
    """Return the grammar of one of vLLM's forms.

    Raises:
        InvalidRequestError: the value does not fit the form.
    """
    match form:
        case "json":
            return json_grammar(value, param=param)
        case "regex":
            return checked({"type": "regex", "regex": value}, param=param)
        case "choice":
            return checked({"type": "choice", "choices": value}, param=param)
        case "grammar":
            return checked({"type": "lark", "lark": value}, param=param)
        case _ if isinstance(value, bool):
            return JSON_OBJECT if value else None
    raise InvalidRequestError(f"{param}: this must be true or false", param=param)


@extend_schema_field(
    {
        "type": "object",
        "nullable": True,
        "required": ["type"],
        "properties": {
            "type": {"type": "string", "enum": ["text", "json_object", "json_schema"]},
            "json_schema": {
                "type": "object",
                "required": ["name", "schema"],
                "properties": {
                    "name": {"type": "string", "maxLength": limits.MAX_SCHEMA_NAME_CHARS},
                    "description": {"type": "string"},
                    "schema": {"type": "object"},
                    "strict": {"type": "boolean", "nullable": True},
                },
            },
        },
    }
)
class ResponseFormatField(serializers.Field[Grammar | None, Any, Any, Any]):
    """The form of the answer as OpenAI names it; `text` is none.

    A schema is always followed, strict or not.
    """

    name = TextField(max_length=limits.MAX_SCHEMA_NAME_CHARS)

    def to_internal_value(self, data: Any) -> Grammar | None:
        """Return the grammar."""
        match data:
            case {"type": "text"}:
                return None
            case {"type": "json_object"}:
                return JSON_OBJECT
            case {"type": "json_schema", "json_schema": {"name": name, **rest}}:
                self.name.run_validation(name)
                if not isinstance(rest.get("strict"), bool | None):
                    raise serializers.ValidationError("strict must be true or false.")
                return json_grammar(rest.get("schema"), param="response_format.json_schema.schema")
            case _:
                raise serializers.ValidationError(
                    "This must be of the type text, json_object, or json_schema with a"
                    " json_schema that has a name and a schema.",
                    code="invalid_type",
                )

    def to_representation(self, value: Grammar | None) -> Any:
        """Return the grammar as it is."""
        return value


@extend_schema_field({"nullable": True, "description": "As vLLM's server takes it."})
class GuidedField(serializers.Field[Grammar | None, Any, Any, Any]):
    """One of vLLM's `guided_` fields."""

    def __init__(self, form: str, **kwargs: Any) -> None:
        super().__init__(required=False, allow_null=True, **kwargs)
        self.form = form

    def to_internal_value(self, data: Any) -> Grammar | None:
        """Return the grammar."""
        return output_grammar(self.form, data, param=f"guided_{self.form}")

    def to_representation(self, value: Grammar | None) -> Any:
        """Return the grammar as it is."""
        return value


@extend_schema_field(
    {
        "type": "object",
        "nullable": True,
        "minProperties": 1,
        "maxProperties": 1,
        "additionalProperties": False,
        "properties": {form: {} for form in OUTPUT_FORMS},
    }
)
class StructuredOutputsField(serializers.Field[Grammar | None, Any, Any, Any]):
    """vLLM's object with exactly one form."""

    def to_internal_value(self, data: Any) -> Grammar | None:
        """Return the grammar."""
        if not isinstance(data, Mapping) or len(data) != 1 or next(iter(data)) not in OUTPUT_FORMS:
            raise serializers.ValidationError(
                f"This must be an object with one of {', '.join(OUTPUT_FORMS)}.",
                code="invalid_type",
            )
        ((form, value),) = data.items()
        return output_grammar(form, value, param=f"structured_outputs.{form}")

    def to_representation(self, value: Grammar | None) -> Any:
        """Return the grammar as it is."""
        return value


class GrammarSerializer(serializers.Serializer[Any]):
    """The fields that hold an answer to a form."""

    response_format = ResponseFormatField(required=False, allow_null=True)
    structured_outputs = StructuredOutputsField(required=False, allow_null=True)
    guided_json = GuidedField("json")
    guided_regex = GuidedField("regex")
    guided_choice = GuidedField("choice")
    guided_grammar = GuidedField("grammar", help_text="In llguidance's dialect of Lark.")


GRAMMAR_FIELDS = tuple(GrammarSerializer().fields)


def grammar_of(given: Mapping[str, Any]) -> Grammar | None:
    """Return the one grammar among validated fields, if there is one.

    Raises:
        ValidationError: there are two.
    """
    named = [name for name in GRAMMAR_FIELDS if given.get(name) is not None]
    if len(named) > 1:
        raise serializers.ValidationError(
            {named[1]: f"This contradicts {named[0]}; send one of them."}
        )
    return given[named[0]] if named else None
