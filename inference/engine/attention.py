"""Attention for a flat batch: many sequences in one row of tokens, each with its own past.

transformers looks the attention of a model up by name. Registering ours under `PACKED_ATTENTION`
lets any decoder run on the flat batch unchanged; the step's attention travels with the call as
the keyword `packed_step`. No mask is registered under the name, so transformers builds none.
"""

from dataclasses import dataclass, field
from typing import Any, Protocol

from torch import Tensor, nn
from transformers import AttentionInterface, PreTrainedModel

PACKED_ATTENTION = "packed_cache"


@dataclass(frozen=True, slots=True)
class ScoreOptions:
    """How a layer scores keys.

    Attributes:
        scaling: factor on the scores; None means 1/sqrt(D).
        sliding_window: how many of the latest tokens a query sees, itself included.
        softcap: limit of the scores' size, as Gemma 2 has it.
        sinks: scores of nothing, [heads]: what a head need not spend on keys, as gpt-oss has it.
    """

    scaling: float | None = None
    sliding_window: int | None = None
    softcap: float | None = None
    sinks: Tensor | None = field(default=None, compare=False)


class StepAttention(Protocol):
    """The attention of one step: it knows where every sequence is."""

    def attend(
        self, layer: int, query: Tensor, key: Tensor, value: Tensor, options: ScoreOptions
    ) -> Tensor:
        """Store the step's keys and values, then let each sequence attend to its own past.

        Args:
            layer: number of the layer.
            query: [N, heads, D].
            key: [N, key heads, D].
            value: [N, key heads, D of values].
            options: how the layer scores.

        Returns:
            The mixed values, [N, heads, D of values].
        """


def packed_attention(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    *,
    packed_step: StepAttention,
    scaling: float | None = None,
    sliding_window: int | None = None,
    softcap: float | None = None,
    **_: Any,
) -> tuple[Tensor, None]:
    """Attend as transformers asks for it.

    Args:
        module: the attention layer; its `layer_idx` names the cache's layer.
        query: [1, heads, N, D].
        key: [1, key heads, N, D].
        value: [1, key heads, N, D of values].
        attention_mask: None; what transformers passes where no mask is registered.
        packed_step: the attention of the step.
        scaling: see `ScoreOptions`, like the next two.
        sliding_window: see there.
        softcap: see there.

    Returns:
        The mixed values, [1, N, heads, D of values], and no weights.

    Raises:
        NotImplementedError: the layer adds something to its scores that is not known here.

    Source:
        OpenAI 2025, "gpt-oss-120b & gpt-oss-20b Model Card" (the learned bias in the softmax's
        denominator).
    """
    if attention_mask is not None:
        raise NotImplementedError("attention with a bias")
    mixed = packed_step.attend(
        int(module.layer_idx),  # type: ignore[arg-type]  # a plain attribute of every layer
        query[0].transpose(0, 1),
        key[0].transpose(0, 1),
        value[0].transpose(0, 1),
        ScoreOptions(scaling, sliding_window, softcap, getattr(module, "sinks", None)),
    )
    return mixed.contiguous().unsqueeze(0), None  # some layers take a view of it


def attention_of_decoder(model: PreTrainedModel, name: str) -> str | dict[str, str]:
    """Return what `set_attn_implementation` takes to change how a model's decoder attends.

    The vision tower of a model of several parts goes on attending in its own way.
    """
    text_config = model.config.get_text_config()
    parts = [key for key in model.config.sub_configs if getattr(model.config, key) is text_config]
    return dict.fromkeys(parts, name) or name


AttentionInterface.register(PACKED_ATTENTION, packed_attention)
