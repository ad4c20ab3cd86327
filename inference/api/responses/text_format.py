"""The field `text` of a request for a response: the form the answer is held to."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from inference.api import limits
from inference.api.fields import TextField
from inference.api.grammar_fields import JSON_OBJECT, json_grammar

VERBOSITIES = ("low", "medium", "high")


@extend_schema_field(
    {
        "type": "object",
        "nullable": True,
        "required": ["type"],
        "properties": {
            "type": {"type": "string", "enum": ["text", "json_object", "json_schema"]},
            "name": {"type": "string", "maxLength": limits.MAX_SCHEMA_NAME_CHARS},
            "description": {"type": "string", "nullable": True},
            "schema": {"type": "object"},
            "strict": {"type": "boolean", "nullable": True},
        },
    }
)
class FormatField(serializers.Field[dict[str, Any], Any, Any, Any]):
    """The form as a grammar, and as the answer repeats it; a schema is always followed."""

    name = TextField(max_length=limits.MAX_SCHEMA_NAME_CHARS)

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        """Return `grammar` and `told`."""
        match data:
            case {"type": "text"}:
                return {"grammar": None, "told": {"type": "text"}}
            case {"type": "json_object"}:
                return {"grammar": JSON_OBJECT, "told": {"type": "json_object"}}
            case {"type": "json_schema", "name": name, "schema": schema}:
                self.name.run_validation(name)
                if not isinstance(data.get("strict"), bool | None):
                    raise serializers.ValidationError("strict must be true or false.")
                if not isinstance(data.get("description"), str | None):
                    raise serializers.ValidationError("description must be a string.")
                grammar = json_grammar(schema, param="text.format.schema")
                told = {"description": None, "strict": None, **data}
                return {"grammar": grammar, "told": told}
            case _:
                raise serializers.ValidationError(
                    "This must be of the type text, json_object, or json_schema with a name and a"
                    " schema.",
                    code="invalid_type",
                )

    def to_representation(self, value: dict[str, Any]) -> Any:
        """Return the form as it is."""
        return value


class TextSerializer(serializers.Serializer[Any]):
    """How the text of the answer is."""

    format = FormatField(required=False, allow_null=True)
    verbosity = serializers.ChoiceField(choices=VERBOSITIES, required=False, allow_null=True)

    def validate(self, attrs: Any) -> Any:
        """Return what was given."""
        return {name: value for name, value in attrs.items() if value is not None}
