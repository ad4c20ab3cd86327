"""The fields by which chats and raw prompts say how to sample, and what they mean together."""

from collections.abc import Mapping
from typing import Any

from rest_framework import serializers

from inference.api import limits
from inference.api.fields import FlagField, NumberField, TextField, WholeNumberField
from inference.api.grammar_fields import GrammarSerializer, grammar_of
from inference.api.text_fields import LogitBiasField, StopField
from inference.generation import SamplingParams

SAMPLING_FIELDS = (
    "temperature",
    "top_p",
    "min_p",
    "repetition_penalty",
    "presence_penalty",
    "frequency_penalty",
    "seed",
    "ignore_eos",
    "logit_bias",
    "min_tokens",
    "skip_special_tokens",
    "spaces_between_special_tokens",
)


class StreamOptionsSerializer(serializers.Serializer[Any]):
    """How a stream is told."""

    include_usage = FlagField()


class SamplingSerializer(GrammarSerializer):
    """What every request for text may say beside its prompt."""

    model = TextField(max_length=limits.MAX_MODEL_NAME_CHARS)
    temperature = NumberField("temperature")
    top_p = NumberField("top_p")
    top_k = WholeNumberField("top_k", help_text="0 and -1 keep every token.")
    min_p = NumberField("min_p")
    max_tokens = WholeNumberField("max_tokens")
    stop = StopField(required=False, allow_null=True)
    stop_token_ids = serializers.ListField(
        child=WholeNumberField("token_id", required=True, allow_null=False),
        required=False,
        allow_null=True,
        max_length=limits.MAX_STOP_TOKEN_IDS,
    )
    repetition_penalty = NumberField("repetition_penalty")
    presence_penalty = NumberField("presence_penalty")
    frequency_penalty = NumberField("frequency_penalty")
    logit_bias = LogitBiasField(required=False, allow_null=True)
    seed = WholeNumberField("seed", help_text="The answer with index i is drawn with seed + i.")
    ignore_eos = FlagField()
    min_tokens = WholeNumberField("min_tokens")
    skip_special_tokens = FlagField()
    spaces_between_special_tokens = FlagField()
    n = WholeNumberField("n")
    stream = FlagField()
    stream_options = StreamOptionsSerializer(required=False, allow_null=True)
    user = TextField(
        required=False, allow_null=True, allow_blank=True, max_length=limits.MAX_USER_CHARS
    )


def given_of(attrs: Mapping[str, Any]) -> dict[str, Any]:
    """Return the validated fields that were given: null means absent.

    Raises:
        ValidationError: there are options of a stream without a stream.
    """
    given = {name: value for name, value in attrs.items() if value is not None}
    if "stream_options" in given and not given.get("stream"):
        raise serializers.ValidationError(
            {"stream_options": "This is allowed only when stream is true."}
        )
    return given


def sampling_params(given: Mapping[str, Any]) -> SamplingParams:
    """Return the sampling parameters among validated fields; what is absent has its default.

    Raises:
        ValidationError: the two names of the token limit contradict each other, or two fields
            hold the answer to two grammars.
    """
    names = ("max_tokens", "max_completion_tokens")
    token_limits = {given[name] for name in names if name in given}
    if len(token_limits) > 1:
        raise serializers.ValidationError(
            {"max_tokens": "This contradicts max_completion_tokens; send one of them."}
        )
    return SamplingParams(
        **{name: given[name] for name in SAMPLING_FIELDS if name in given},
        top_k=max(0, given.get("top_k", 0)),
        max_tokens=next(iter(token_limits), None),
        stop=given.get("stop", ()),
        stop_token_ids=tuple(given.get("stop_token_ids", ())),
        grammar=grammar_of(given),
    )
