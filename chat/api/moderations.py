"""`POST /v1/moderations`: what the site's moderator finds in texts.

Source: OpenAI's API reference, "The moderation object".
"""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

from asgiref.sync import sync_to_async
from django.http import HttpResponseBase, JsonResponse
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request

from chat.moderation import Finding
from chat.services import moderator_findings
from inference.api import limits, schema
from inference.api.base import ApiView
from inference.api.fields import TextField

OUR_MODEL = "site-moderator"

# OpenAI's categories, and which of the moderator's stand behind each.
OPENAI_CATEGORIES: dict[str, tuple[str, ...]] = {
    "harassment": ("harassment",),
    "harassment/threatening": (),
    "hate": ("hate",),
    "hate/threatening": (),
    "illicit": ("illicit", "weapons"),
    "illicit/violent": ("weapons",),
    "self-harm": ("self_harm",),
    "self-harm/instructions": (),
    "self-harm/intent": (),
    "sexual": ("sexual", "child_safety"),
    "sexual/minors": ("child_safety",),
    "violence": ("violence",),
    "violence/graphic": (),
}


@extend_schema_field(
    {
        "oneOf": [
            {"type": "string"},
            {
                "type": "array",
                "minItems": 1,
                "maxItems": limits.MAX_MODERATION_INPUTS,
                "items": {
                    "oneOf": [
                        {"type": "string"},
                        {
                            "type": "object",
                            "required": ["type", "text"],
                            "properties": {
                                "type": {"type": "string", "enum": ["text"]},
                                "text": {"type": "string"},
                            },
                        },
                    ]
                },
            },
        ]
    }
)
class TextsField(serializers.Field[tuple[str, ...], Any, list[str], Any]):
    """A text, or a few: strings or parts of the type text."""

    text = TextField(allow_blank=True, max_length=limits.MAX_PROMPT_CHARS)

    def to_internal_value(self, data: Any) -> tuple[str, ...]:
        """Return the texts in the order they came."""
        entries = [data] if isinstance(data, str) else data
        if not isinstance(entries, list) or not 1 <= len(entries) <= limits.MAX_MODERATION_INPUTS:
            raise serializers.ValidationError(
                f"This must be a text or 1 to {limits.MAX_MODERATION_INPUTS} texts.",
                code="invalid_type",
            )
        texts = tuple(str(self.text.run_validation(text_of(entry))) for entry in entries)
        if sum(map(len, texts)) > limits.MAX_PROMPT_CHARS:
            raise serializers.ValidationError(
                f"All texts together may have {limits.MAX_PROMPT_CHARS} characters.",
                code="prompt_too_long",
            )
        return texts

    def to_representation(self, value: tuple[str, ...]) -> list[str]:
        """Return the texts as JSON has them."""
        return list(value)


def text_of(entry: Any) -> Any:
    """Return what stands in a part of the type text; anything else as it is.

    Raises:
        ValidationError: the part holds no text.
    """
    if not isinstance(entry, dict):
        return entry
    if entry.get("type") != "text":
        raise serializers.ValidationError(
            "Only parts of the type text can be judged.", code="unsupported_value"
        )
    return entry.get("text")


@dataclass(frozen=True, slots=True)
class ModerationOrder:
    """Texts to be judged."""

    texts: tuple[str, ...]


class ModerationSerializer(serializers.Serializer[Any]):
    """The body of `POST /v1/moderations`; its validated data is a `ModerationOrder`."""

    input = TextsField()
    model = TextField(
        required=False,
        allow_null=True,
        max_length=limits.MAX_MODEL_NAME_CHARS,
        help_text="Changes nothing: there is one moderator.",
    )

    def validate(self, attrs: Any) -> ModerationOrder:
        """Return the order."""
        return ModerationOrder(attrs["input"])


class ModerationResult(serializers.Serializer[Any]):
    """What was found in one text."""

    flagged = serializers.BooleanField()
    categories = serializers.DictField(child=serializers.BooleanField())
    category_scores = serializers.DictField(child=serializers.FloatField())
    category_applied_input_types = serializers.DictField(
        child=serializers.ListField(child=serializers.CharField())
    )


class ModerationObject(serializers.Serializer[Any]):
    """What was found in the texts, in their order."""

    id = serializers.CharField()
    model = serializers.CharField()
    results = ModerationResult(many=True)


class Moderations(ApiView):
    """Judges texts."""

    scope = "moderations"
    serializer_class = ModerationSerializer

    @extend_schema(
        operation_id="createModeration",
        request=ModerationSerializer,
        responses=schema.answers(ModerationObject, takes_body=True),
        examples=[schema.example("A text", input="How to build a bomb?")],
    )
    async def post(self, request: Request) -> HttpResponseBase:
        """Tell what the site's moderator finds in texts; nothing is stored."""
        order = cast("ModerationOrder", request.order)  # type: ignore[attr-defined]  # set by admit
        # In a thread that others need not wait for: a moderator may live on another machine.
        judge = sync_to_async(moderator_findings, thread_sensitive=False)
        results = [result_of(await judge(text)) for text in order.texts]
        return JsonResponse(
            {"id": f"modr-{secrets.token_hex(16)}", "model": OUR_MODEL, "results": results}
        )


def result_of(findings: Sequence[Finding]) -> dict[str, Any]:
    """Return what was found in one text: OpenAI's categories, then the moderator's own."""
    found = {finding.category for finding in findings}
    categories = {name: bool(found & set(ours)) for name, ours in OPENAI_CATEGORIES.items()}
    categories |= dict.fromkeys(sorted(found), True)
    return {
        "flagged": bool(found),
        "categories": categories,
        "category_scores": {name: float(is_found) for name, is_found in categories.items()},
        "category_applied_input_types": {name: ["text"] for name in categories},
    }
