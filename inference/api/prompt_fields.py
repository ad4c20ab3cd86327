"""Fields for raw texts and tokens: one, or a list of them."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from inference.api import limits
from inference.api.fields import TextField

Prompt = str | tuple[int, ...]

TOKENS_SCHEMA: dict[str, Any] = {
    "type": "array",
    "minItems": 1,
    "items": {"type": "integer", "minimum": 0, "maximum": int(limits.RANGES["token_id"].highest)},
}


def prompts_schema(most: int) -> dict[str, Any]:
    """Return the description of a field that holds up to `most` texts or lists of tokens."""
    return {
        "oneOf": [
            {"type": "string", "minLength": 1},
            {"type": "array", "minItems": 1, "maxItems": most, "items": {"type": "string"}},
            TOKENS_SCHEMA,
            {"type": "array", "minItems": 1, "maxItems": most, "items": TOKENS_SCHEMA},
        ]
    }


@extend_schema_field(prompts_schema(limits.MAX_PROMPTS))
class PromptsField(serializers.Field[tuple[Prompt, ...], Any, Any, Any]):
    """Texts or tokens: a string, strings, token ids, or lists of token ids; none of them empty.

    Args:
        most: how many prompts there may be.
        most_chars: how many characters all of them may have together.
        most_tokens: likewise tokens.
    """

    text = TextField()

    def __init__(
        self,
        *,
        most: int = limits.MAX_PROMPTS,
        most_chars: int = limits.MAX_PROMPT_CHARS,
        most_tokens: int = limits.MAX_PROMPT_TOKENS,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.most = most
        self.most_chars = most_chars
        self.most_tokens = most_tokens

    def to_internal_value(self, data: Any) -> tuple[Prompt, ...]:
        """Return the prompts in the order they came."""
        prompts = self._items(data)
        # Bounds first: what is too much costs no more than counting it.
        self._bound(len(prompts), self.most, "entries")
        chars = sum(len(prompt) for prompt in prompts if isinstance(prompt, str))
        self._bound(chars, self.most_chars, "characters")
        tokens = sum(len(prompt) for prompt in prompts if isinstance(prompt, list))
        self._bound(tokens, self.most_tokens, "tokens")
        return tuple(map(self._prompt, prompts))

    def to_representation(self, value: tuple[Prompt, ...]) -> Any:
        """Return the prompts as JSON has them."""
        return [prompt if isinstance(prompt, str) else list(prompt) for prompt in value]

    def _bound(self, count: int, limit: int, what: str) -> None:
        if count > limit:
            raise serializers.ValidationError(
                f"This has {count} {what}; {limit} are allowed.", code="prompt_too_long"
            )

    def _items(self, data: Any) -> list[Any]:
        if isinstance(data, str):
            return [data]
        if not isinstance(data, list) or not data:
            raise serializers.ValidationError(
                "This must be a text, its tokens, or a list of either, and not empty.",
                code="invalid_type",
            )
        return [data] if type(data[0]) is int else data

    def _prompt(self, prompt: Any) -> Prompt:
        if isinstance(prompt, list):
            return tokens_of(prompt)
        return str(self.text.run_validation(prompt))


def tokens_of(data: list[Any]) -> tuple[int, ...]:
    """Return ids of tokens.

    Raises:
        ValidationError: it is no list of ids, or an empty one.
    """
    highest = limits.RANGES["token_id"].highest
    if not data or not all(type(token) is int and 0 <= token <= highest for token in data):
        raise serializers.ValidationError(
            f"Tokens must be integers from 0 to {highest:.0f}, at least one.", code="invalid_type"
        )
    return tuple(data)
