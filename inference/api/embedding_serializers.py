"""What a request for vectors may say, checked and handed over as an order."""

from dataclasses import dataclass
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from inference.api import limits
from inference.api.fields import FlagField, TextField, WholeNumberField
from inference.api.prompt_fields import Prompt, PromptsField, prompts_schema
from inference.requests import EmbeddingRequest

ENCODINGS = ("float", "base64")


@dataclass(frozen=True, slots=True)
class EmbeddingOrder:
    """Vectors of some texts.

    Attributes:
        model: name of the model to ask.
        texts: each a text, or its tokens.
        is_base64: whether a vector is told as base64 of little-endian float32, not as numbers.
        dimensions: how many of a vector's numbers are kept; None keeps all.
        is_truncated: whether texts longer than the window are cut (True), refused (False), or
            split into chunks whose vectors are averaged (None).
    """

    model: str
    texts: tuple[Prompt, ...]
    is_base64: bool = False
    dimensions: int | None = None
    is_truncated: bool | None = None

    def request(self) -> EmbeddingRequest:
        """Return a fresh request."""
        return EmbeddingRequest(
            model=self.model,
            texts=self.texts,
            truncates=self.is_truncated is True,
            splits=self.is_truncated is None,
        )


@extend_schema_field(prompts_schema(limits.MAX_EMBEDDING_INPUTS))
class InputsField(PromptsField):
    """Texts that are to become vectors."""


class EmbeddingSerializer(serializers.Serializer[Any]):
    """The body of `POST /v1/embeddings`; its validated data is an `EmbeddingOrder`."""

    model = TextField(max_length=limits.MAX_MODEL_NAME_CHARS)
    input = InputsField(
        most=limits.MAX_EMBEDDING_INPUTS,
        most_chars=limits.MAX_EMBEDDING_CHARS,
        most_tokens=limits.MAX_EMBEDDING_TOKENS,
    )
    encoding_format = serializers.ChoiceField(choices=ENCODINGS, required=False, allow_null=True)
    dimensions = WholeNumberField(
        "dimensions", help_text="The first numbers of the vector, at length 1 again."
    )
    truncate = FlagField(
        help_text="true cuts what is longer than the window, false refuses it; without it such a"
        " text is split, and its vector is the mean over its chunks."
    )
    truncate_prompt_tokens = serializers.ChoiceField(
        choices=[-1], required=False, allow_null=True, help_text="-1 cuts at the window."
    )
    user = TextField(
        required=False, allow_null=True, allow_blank=True, max_length=limits.MAX_USER_CHARS
    )

    def validate(self, attrs: Any) -> EmbeddingOrder:
        """Return the order, every absent or null field at its default."""
        is_truncated = attrs.get("truncate")
        if attrs.get("truncate_prompt_tokens") is not None:
            if is_truncated is False:
                raise serializers.ValidationError(
                    {"truncate_prompt_tokens": "This contradicts truncate; send one of them."}
                )
            is_truncated = True
        return EmbeddingOrder(
            model=attrs["model"],
            texts=attrs["input"],
            is_base64=attrs.get("encoding_format") == "base64",
            dimensions=attrs.get("dimensions"),
            is_truncated=is_truncated,
        )


class EngineEmbeddingSerializer(EmbeddingSerializer):
    """The body where the address names the model, as OpenAI's API once had it."""

    model = TextField(
        max_length=limits.MAX_MODEL_NAME_CHARS, required=False, help_text="The address decides."
    )
