"""Fields of a request for a response that have shapes of their own."""

from collections.abc import Mapping
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from inference.api import limits
from inference.api.fields import RawField
from inference.api.responses.items import MAX_ITEMS
from inference.grammars import MAX_FUNCTIONS

CHOICES = ("none", "auto", "required")


@extend_schema_field(
    {
        "oneOf": [
            {"type": "string", "minLength": 1},
            {"type": "array", "minItems": 1, "maxItems": MAX_ITEMS, "items": {"type": "object"}},
        ]
    }
)
class InputField(RawField):
    """What is to be answered: a text, or items."""


@extend_schema_field(
    {
        "type": "array",
        "nullable": True,
        "maxItems": MAX_FUNCTIONS,
        "items": {
            "type": "object",
            "required": ["type", "name"],
            "properties": {
                "type": {"type": "string", "enum": ["function"]},
                "name": {"type": "string", "pattern": "^[A-Za-z0-9_-]{1,64}$"},
                "description": {"type": "string", "nullable": True},
                "parameters": {"type": "object", "nullable": True},
                "strict": {"type": "boolean", "nullable": True},
            },
        },
    }
)
class ToolsField(RawField):
    """Functions, as they come."""


@extend_schema_field(
    {
        "nullable": True,
        "oneOf": [
            {"type": "string", "enum": list(CHOICES)},
            {
                "type": "object",
                "required": ["type", "name"],
                "properties": {
                    "type": {"type": "string", "enum": ["function"]},
                    "name": {"type": "string"},
                },
            },
        ],
    }
)
class ToolChoiceField(RawField):
    """Whether to call a function, and which."""


@extend_schema_field(
    {
        "type": "object",
        "nullable": True,
        "maxProperties": limits.MAX_METADATA,
        "additionalProperties": {"type": "string", "maxLength": limits.MAX_METADATA_CHARS},
    }
)
class MetadataField(serializers.Field[dict[str, str], Any, Any, Any]):
    """Notes of the program, which the answer repeats."""

    def to_internal_value(self, data: Any) -> dict[str, str]:
        """Return the notes."""
        is_fine = (
            isinstance(data, Mapping)
            and len(data) <= limits.MAX_METADATA
            and all(
                len(key) <= limits.MAX_METADATA_KEY_CHARS
                and isinstance(value, str)
                and len(value) <= limits.MAX_METADATA_CHARS
                for key, value in data.items()
            )
        )
        if not is_fine:
            raise serializers.ValidationError(
                f"This must be an object of at most {limits.MAX_METADATA} strings of at most"
                f" {limits.MAX_METADATA_CHARS} characters.",
                code="invalid_type",
            )
        return dict(data)

    def to_representation(self, value: dict[str, str]) -> Any:
        """Return the notes."""
        return value
