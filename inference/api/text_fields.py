"""Fields that come in more than one shape: a message's content, stop texts, biases of tokens."""

import re
from collections.abc import Mapping
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from inference.api import limits
from inference.api.fields import NumberField, TextField
from inference.api.image_fields import IMAGE_PART_SCHEMA, read_image
from inference.messages import Part, TextPart, text_of

TOKEN_ID = re.compile(r"0|[1-9][0-9]{0,9}")

TEXT_PART_SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["type", "text"],
    "properties": {
        "type": {"type": "string", "enum": ["text"]},
        "text": {"type": "string"},
    },
}


@extend_schema_field(
    {
        "oneOf": [
            {"type": "string"},
            {
                "type": "array",
                "minItems": 1,
                "maxItems": limits.MAX_CONTENT_PARTS,
                "items": {"oneOf": [TEXT_PART_SCHEMA, IMAGE_PART_SCHEMA]},
            },
        ]
    }
)
class ContentField(serializers.Field[tuple[Part, ...], Any, str, Any]):
    """What a message says: a string, or parts that are texts and images."""

    text = TextField(allow_blank=True, max_length=limits.MAX_PROMPT_CHARS)

    def to_internal_value(self, data: Any) -> tuple[Part, ...]:
        """Return the parts in the order they came; a string is one."""
        if isinstance(data, str):
            return (self._text(data),)
        if not isinstance(data, list) or not 1 <= len(data) <= limits.MAX_CONTENT_PARTS:
            raise serializers.ValidationError(
                f"This must be a string or 1 to {limits.MAX_CONTENT_PARTS} parts.",
                code="invalid_type",
            )
        return tuple(self._part(part) for part in data)

    def to_representation(self, value: tuple[Part, ...]) -> str:
        """Return the text."""
        return text_of(value)

    def _part(self, part: Any) -> Part:
        match part:
            case {"type": "text"}:
                return self._text(part.get("text"))
            case {"type": "image_url"}:
                return read_image(part)
            case _:
                raise serializers.ValidationError(
                    "Only parts of the types text and image_url can be read.",
                    code="unsupported_value",
                )

    def _text(self, text: Any) -> TextPart:
        return TextPart(str(self.text.run_validation(text)))


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


@extend_schema_field(
    {
        "type": "object",
        "nullable": True,
        "maxProperties": limits.MAX_LOGIT_BIASES,
        "additionalProperties": {
            "type": "number",
            "minimum": limits.RANGES["logit_bias"].lowest,
            "maximum": limits.RANGES["logit_bias"].highest,
        },
    }
)
class LogitBiasField(serializers.Field[tuple[tuple[int, float], ...], Any, dict[str, float], Any]):
    """What is added to the logits of some tokens, by their ids."""

    bias = NumberField("logit_bias", required=True, allow_null=False)

    def to_internal_value(self, data: Any) -> tuple[tuple[int, float], ...]:
        """Return pairs of token and bias."""
        if not isinstance(data, Mapping) or len(data) > limits.MAX_LOGIT_BIASES:
            raise serializers.ValidationError(
                f"This must be an object with at most {limits.MAX_LOGIT_BIASES} tokens.",
                code="invalid_type",
            )
        for token in data:
            if not TOKEN_ID.fullmatch(str(token)):
                raise serializers.ValidationError(
                    "Its keys must be ids of tokens, as text.", code="invalid_type"
                )
        return tuple((int(token), self.bias.run_validation(bias)) for token, bias in data.items())

    def to_representation(self, value: tuple[tuple[int, float], ...]) -> dict[str, float]:
        """Return the biases as JSON has them."""
        return {str(token): bias for token, bias in value}
