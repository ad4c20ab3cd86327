"""What a request in the protocol of Text Generation Inference may say, handed over as an order.

Source: https://huggingface.github.io/text-generation-inference, `GenerateRequest`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from inference.api import limits
from inference.api.fields import FlagField, NumberField, TextField, WholeNumberField
from inference.api.grammar_fields import Grammar, output_grammar
from inference.api.sampling import sampling_params
from inference.api.text_fields import StopField
from inference.generation import GenerationRequest, SamplingParams

DEFAULT_MAX_TOKENS = 100
SAMPLED_BY = ("temperature", "top_k", "top_p")
FORMS = {"json": "json", "regex": "regex"}

# What each parameter may hold without changing the answer; any other value is refused by name.
NEUTRAL: dict[str, tuple[Any, ...]] = {
    "adapter_id": (),
    "best_of": (1,),
    "decoder_input_details": (False,),
    "top_n_tokens": (0,),
    "truncate": (),
    "typical_p": (1.0,),
    "watermark": (False,),
}


@dataclass(frozen=True, slots=True)
class GenerateOrder:
    """One prompt to be continued.

    Attributes:
        model: name of the model to ask.
        prompt: the raw text.
        params: how to sample.
        has_details: whether the answer tells its tokens.
        is_echoed: whether the prompt stands in front of what continues it.
        is_streamed: whether the answer comes as events while it grows.
    """

    model: str
    prompt: str
    params: SamplingParams
    has_details: bool = False
    is_echoed: bool = False
    is_streamed: bool = False

    def request(self) -> GenerationRequest:
        """Return what a model is asked."""
        return GenerationRequest(model=self.model, prompt=self.prompt, params=self.params)


@extend_schema_field(
    {
        "type": "object",
        "nullable": True,
        "required": ["type", "value"],
        "properties": {"type": {"type": "string", "enum": list(FORMS)}, "value": {}},
    }
)
class GrammarField(serializers.Field[Grammar | None, Any, Any, Any]):
    """The form the answer is held to."""

    def to_internal_value(self, data: Any) -> Grammar | None:
        """Return the grammar."""
        match data:
            case {"type": str(form), "value": value} if form in FORMS:
                return output_grammar(FORMS[form], value, param="parameters.grammar.value")
        raise serializers.ValidationError(
            f"This must be of the type {' or '.join(FORMS)} and have a value.", code="invalid_type"
        )

    def to_representation(self, value: Grammar | None) -> Any:
        """Return the grammar as it is."""
        return value


class GenerateParametersSerializer(serializers.Serializer[Any]):
    """How to continue."""

    max_new_tokens = WholeNumberField("max_tokens", help_text=f"{DEFAULT_MAX_TOKENS} where absent.")
    do_sample = FlagField(help_text="Without it, and without temperature and the like, greedy.")
    temperature = NumberField("temperature")
    top_k = WholeNumberField("top_k")
    top_p = NumberField("top_p")
    repetition_penalty = NumberField("repetition_penalty")
    frequency_penalty = NumberField("frequency_penalty")
    seed = WholeNumberField("seed")
    stop = StopField(required=False, allow_null=True)
    grammar = GrammarField(required=False, allow_null=True)
    details = FlagField()
    return_full_text = FlagField()

    def to_internal_value(self, data: Any) -> Any:
        """Refuse by name what is unknown or cannot be done, then check the rest."""
        if isinstance(data, Mapping):
            for name, value in data.items():
                is_neutral = value is None or value in NEUTRAL.get(name, ())
                if name not in self.fields and not (name in NEUTRAL and is_neutral):
                    raise serializers.ValidationError(
                        {name[:64]: "This server does not support it."},
                        code="unsupported_parameter",
                    )
        return super().to_internal_value(data)


class GenerateSerializer(serializers.Serializer[Any]):
    """The body of `POST /generate`; its validated data is a `GenerateOrder`."""

    inputs = TextField(max_length=limits.MAX_PROMPT_CHARS)
    parameters = GenerateParametersSerializer(required=False, allow_null=True)
    stream = FlagField()
    model = TextField(
        required=False,
        max_length=limits.MAX_MODEL_NAME_CHARS,
        help_text="May be left out where one model is served.",
    )

    def validate(self, attrs: Any) -> GenerateOrder:
        """Return the order, every absent or null field at its default."""
        if "model" not in attrs:
            raise serializers.ValidationError({"model": "Say which; several models are served."})
        given = {name: v for name, v in (attrs.get("parameters") or {}).items() if v is not None}
        is_sampled = given.get("do_sample") or any(name in given for name in SAMPLED_BY)
        params = sampling_params(
            {"temperature": 1.0 if is_sampled else 0.0}
            | given
            | {
                "max_tokens": given.get("max_new_tokens", DEFAULT_MAX_TOKENS),
                "response_format": given.get("grammar"),
            }
        )
        return GenerateOrder(
            model=attrs["model"],
            prompt=attrs["inputs"],
            params=params,
            has_details=given.get("details", False),
            is_echoed=given.get("return_full_text", False),
            is_streamed=bool(attrs.get("stream")),
        )
