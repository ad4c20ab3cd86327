"""Fields that hold text in more than one shape: the content of a message, the texts that stop."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from inference.api import limits
from inference.api.fields import TextField


@extend_schema_field(
    {
        "oneOf": [
            {"type": "string"},
            {
                "type": "array",
                "minItems": 1,
                "maxItems": limits.MAX_CONTENT_PARTS,
                "items": {
                    "type": "object",
                    "required": ["type", "text"],
                    "properties": {
                        "type": {"type": "string", "enum": ["text"]},
                        "text": {"type": "string"},
                    },
                },
            },
        ]
    }
)
class ContentField(serializers.Field[str, Any, str, Any]):
    """The text of a message: a string, or text parts that are read as one text."""

    text = TextField(allow_blank=True, max_length=limits.MAX_PROMPT_CHARS)

    def to_internal_value(self, data: Any) -> str:
        """Return the whole text."""
        if isinstance(data, str):
            return str(self.text.run_validation(data))
        if not isinstance(data, list) or not 1 <= len(data) <= limits.MAX_CONTENT_PARTS:
            raise serializers.ValidationError(
                f"This must be a string or 1 to {limits.MAX_CONTENT_PARTS} parts.",
                code="invalid_type",
            )
        return "\n".join(self._part(part) for part in data)

    def to_representation(self, value: str) -> str:
        """Return the text as it is."""
        return value

    def _part(self, part: Any) -> str:
        kind = part.get("type") if isinstance(part, dict) else None
        if kind != "text":
            raise serializers.ValidationError(
                "Only parts of the type text can be read.", code="unsupported_value"
            )
        return str(self.text.run_validation(part.get("text")))


@extend_schema_field(
    {
        "oneOf": [
            {"type": "string", "maxLength": limits.MAX_STOP_CHARS},
            {
                "type": "array",
                "maxItems": limits.MAX_STOP_TEXTS,
                "items": {"type": "string", "maxLength": limits.MAX_STOP_CHARS},
            },
        ],
        "nullable": True,
    }
)
class StopField(serializers.Field[tuple[str, ...], Any, list[str], Any]):
    """One stop text or a few."""

    text = TextField(max_length=limits.MAX_STOP_CHARS)

    def to_internal_value(self, data: Any) -> tuple[str, ...]:
        """Return the texts in the order they came."""
        texts = [data] if isinstance(data, str) else data
        if not isinstance(texts, list) or len(texts) > limits.MAX_STOP_TEXTS:
            raise serializers.ValidationError(
                f"This must be a string or at most {limits.MAX_STOP_TEXTS} strings.",
                code="invalid_type",
            )
        return tuple(str(self.text.run_validation(text)) for text in texts)

    def to_representation(self, value: tuple[str, ...]) -> list[str]:
        """Return the texts as JSON has them."""
        return list(value)
