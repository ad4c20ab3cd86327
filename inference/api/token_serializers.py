"""What may be asked about tokens, checked and handed over as requests."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from inference.api import limits
from inference.api.fields import FlagField, TextField, WholeNumberField
from inference.api.prompt_fields import TOKENS_SCHEMA, tokens_of
from inference.api.serializers import MessageSerializer
from inference.messages import Message
from inference.requests import TokensRequest


@dataclass(frozen=True, slots=True)
class TokensOrder:
    """What is asked of a tokenizer.

    Attributes:
        request: for the model.
        has_texts: whether every token is wanted as text, too.
    """

    request: TokensRequest
    has_texts: bool = False

    @property
    def model(self) -> str:
        """Name of the model."""
        return self.request.model


class TokenizeSerializer(serializers.Serializer[Any]):
    """The body of `POST /tokenize`; its validated data is a `TokensOrder`."""

    model = TextField(max_length=limits.MAX_MODEL_NAME_CHARS)
    prompt = TextField(
        required=False, allow_null=True, allow_blank=True, max_length=limits.MAX_PROMPT_CHARS
    )
    messages = MessageSerializer(  # type: ignore[call-arg]  # max_length is the list's
        many=True, required=False, allow_empty=False, max_length=limits.MAX_MESSAGES
    )
    add_special_tokens = FlagField(help_text="For a prompt; true where absent.")
    add_generation_prompt = FlagField(help_text="For messages; only true can be had.")
    return_token_strs = FlagField()

    def validate_messages(self, messages: list[Message]) -> list[Message]:
        """Bound the conversation as a whole."""
        if sum(len(message.content) for message in messages) > limits.MAX_PROMPT_CHARS:
            raise serializers.ValidationError(
                f"All messages together may have {limits.MAX_PROMPT_CHARS} characters.",
                code="prompt_too_long",
            )
        return messages

    def validate_add_generation_prompt(self, is_added: bool | None) -> bool | None:
        """Refuse what changes the tokens and cannot be done."""
        if is_added is False:
            raise serializers.ValidationError(
                "This server does not support it.", code="unsupported_parameter"
            )
        return is_added

    def validate(self, attrs: Any) -> TokensOrder:
        """Return the order."""
        text, messages = attrs.get("prompt"), attrs.get("messages")
        if (text is None) == (messages is None):
            raise serializers.ValidationError({"prompt": "Send either a prompt or messages."})
        is_dressed = attrs.get("add_special_tokens")
        request = TokensRequest(
            attrs["model"],
            text=text,
            messages=tuple(messages or ()),
            adds_special_tokens=True if is_dressed is None else is_dressed,
        )
        return TokensOrder(request, has_texts=bool(attrs.get("return_token_strs")))


@extend_schema_field({**TOKENS_SCHEMA, "minItems": 0, "maxItems": limits.MAX_PROMPT_TOKENS})
class TokensField(serializers.Field[tuple[int, ...], Any, Any, Any]):
    """Ids of tokens; none are fine, too."""

    def to_internal_value(self, data: Any) -> tuple[int, ...]:
        """Return the ids."""
        if not isinstance(data, list) or len(data) > limits.MAX_PROMPT_TOKENS:
            raise serializers.ValidationError(
                f"This must be a list of at most {limits.MAX_PROMPT_TOKENS} tokens.",
                code="invalid_type",
            )
        return tokens_of(data) if data else ()

    def to_representation(self, value: tuple[int, ...]) -> Any:
        """Return the ids as JSON has them."""
        return list(value)


class DetokenizeSerializer(serializers.Serializer[Any]):
    """The body of `POST /detokenize`; its validated data is a `TokensOrder`."""

    model = TextField(max_length=limits.MAX_MODEL_NAME_CHARS)
    tokens = TokensField()

    def validate(self, attrs: Mapping[str, Any]) -> TokensOrder:
        """Return the order."""
        return TokensOrder(TokensRequest(attrs["model"], tokens=attrs["tokens"]))


@dataclass(frozen=True, slots=True)
class TokenCheck:
    """A prompt that should fit into its model's window together with its answer."""

    request: TokensRequest
    max_tokens: int


class TokenCheckSerializer(serializers.Serializer[Any]):
    """One prompt to be checked."""

    model = TextField(max_length=limits.MAX_MODEL_NAME_CHARS)
    prompt = TextField(allow_blank=True, max_length=limits.MAX_PROMPT_CHARS)
    max_tokens = WholeNumberField("completion_max_tokens", required=True, allow_null=False)

    def validate(self, attrs: Mapping[str, Any]) -> TokenCheck:
        """Return the check."""
        request = TokensRequest(attrs["model"], text=attrs["prompt"])
        return TokenCheck(request, attrs["max_tokens"])


class TokenChecksSerializer(serializers.Serializer[Any]):
    """The body of `POST /api/v1/token_check`; its validated data is a list of checks."""

    prompts = TokenCheckSerializer(  # type: ignore[call-arg]  # max_length is the list's
        many=True, allow_empty=False, max_length=limits.MAX_TOKEN_CHECKS
    )

    def validate(self, attrs: Mapping[str, Any]) -> list[TokenCheck]:
        """Return the checks; all prompts together are bounded like one."""
        checks: list[TokenCheck] = attrs["prompts"]
        if sum(check.request.text_bytes for check in checks) > limits.MAX_EMBEDDING_CHARS:
            raise serializers.ValidationError(
                {"prompts": f"Together they may have {limits.MAX_EMBEDDING_CHARS} bytes."},
                code="prompt_too_long",
            )
        return checks
