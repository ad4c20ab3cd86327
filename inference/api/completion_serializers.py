"""What a request for raw completions may say, checked and handed over as an order."""

from dataclasses import replace
from typing import Any

from rest_framework import serializers

from inference.api import limits
from inference.api.fields import FlagField, WholeNumberField
from inference.api.orders import TextOrder
from inference.api.prompt_fields import PromptsField
from inference.api.sampling import SamplingSerializer, given_of, sampling_params
from inference.api.unsupported import NEUTRAL_IN_COMPLETIONS, first_unsupported

DEFAULT_MAX_TOKENS = 16
"""OpenAI's, and so everybody's."""


class CompletionSerializer(SamplingSerializer):
    """The body of `POST /v1/completions`; its validated data is a `TextOrder`."""

    prompt = PromptsField()
    max_tokens = WholeNumberField(
        "completion_max_tokens", help_text="16 where absent; 0 is allowed with echo alone."
    )
    best_of = WholeNumberField("best_of", help_text="n where absent.")
    echo = FlagField()
    logprobs = WholeNumberField("logprobs")

    def to_internal_value(self, data: Any) -> Any:
        """Refuse by name what would change the answer and cannot be done, then check the rest."""
        name = first_unsupported(data, NEUTRAL_IN_COMPLETIONS)
        if name is not None:
            raise serializers.ValidationError(
                {name: "This server does not support it."}, code="unsupported_parameter"
            )
        return super().to_internal_value(data)

    def validate(self, attrs: Any) -> TextOrder:
        """Return the order, every absent or null field at its default."""
        given = {"max_tokens": DEFAULT_MAX_TOKENS} | given_of(attrs)
        n: int = given.get("n", 1)
        best_of: int = given.get("best_of", n)
        logprobs: int | None = given.get("logprobs")
        is_streamed, is_echoed = given.get("stream", False), given.get("echo", False)
        is_prompt_alone = given["max_tokens"] == 0
        refuse_where(is_prompt_alone and not is_echoed, max_tokens="This may be 0 only with echo.")
        refuse_where(best_of < n, best_of=f"This must be at least n, which is {n}.")
        refuse_where(is_streamed and best_of > n, best_of="Only whole answers can be compared.")
        refuse_where(
            is_streamed and is_echoed and logprobs is not None,
            logprobs="With echo this is told in whole answers alone.",
        )
        ways = len(given["prompt"]) * best_of
        refuse_where(
            ways > limits.MAX_CHOICES,
            prompt=f"This asks for {ways} texts; {limits.MAX_CHOICES} are allowed.",
        )
        params = replace(
            sampling_params(given | {"max_tokens": max(1, given["max_tokens"])}),
            # Without log-probabilities nobody can tell which way is the best.
            logprobs=0 if logprobs is None and best_of > n else logprobs,
            prompt_logprobs=logprobs if is_echoed else None,
        )
        return TextOrder(
            model=given["model"],
            prompts=given["prompt"],
            params=params,
            n=n,
            best_of=best_of,
            logprobs=logprobs,
            is_echoed=is_echoed,
            is_prompt_alone=is_prompt_alone,
            is_streamed=is_streamed,
            includes_usage=bool(given.get("stream_options", {}).get("include_usage")),
        )


def refuse_where(is_wrong: bool, **reason: str) -> None:
    """Refuse a field with a reason where something is wrong.

    Raises:
        ValidationError: it is.
    """
    if is_wrong:
        raise serializers.ValidationError(dict(reason), code="invalid_combination")
