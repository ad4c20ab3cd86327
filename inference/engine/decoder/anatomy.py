"""Where the families of one shape keep the parts of a layer, and under which names."""

from dataclasses import dataclass
from typing import Any

from torch import nn

from inference.engine.decoder.projections import are_alike

Names = frozenset[str]


@dataclass(frozen=True, slots=True)
class Anatomy:
    """The names of a layer's parts.

    Attributes:
        layer: parts of a layer; whatever else one held would be left out silently.
        attention: parts of its attention, without the norms of queries and keys.
        network: parts of its network.
        turning: projections to queries, keys and values, in this order, apart or joined.
        gating: projections to gate and values of the network, the same way.
        activation: of the gate.
    """

    layer: Names
    attention: Names
    network: Names
    turning: tuple[str, ...]
    gating: tuple[str, ...]
    activation: str

    def turning_of(self, layer: Any) -> list[nn.Linear]:
        """Return what makes a layer's queries, keys and values."""
        return [getattr(layer.self_attn, name) for name in self.turning]

    def gating_of(self, layer: Any) -> list[nn.Linear]:
        """Return what makes the gate of a layer's network and what passes it."""
        return [getattr(layer.mlp, name) for name in self.gating]

    def fits(self, layer: Any) -> bool:
        """Whether a layer has just these parts, and plain ones."""
        return (
            _parts(layer) == self.layer
            and _parts(layer.self_attn) - {"q_norm", "k_norm"} == self.attention
            and _parts(layer.mlp) == self.network
            and are_alike(self.turning_of(layer))
            and are_alike(self.gating_of(layer))
            and type(layer.self_attn.o_proj) is nn.Linear
            and type(layer.mlp.down_proj) is nn.Linear
        )


def _parts(module: nn.Module) -> Names:
    return frozenset(name for name, _ in module.named_children())


LAYER = frozenset({"self_attn", "mlp", "input_layernorm", "post_attention_layernorm"})

APART = Anatomy(
    layer=LAYER,
    attention=frozenset({"q_proj", "k_proj", "v_proj", "o_proj"}),
    network=frozenset({"gate_proj", "up_proj", "down_proj", "act_fn"}),
    turning=("q_proj", "k_proj", "v_proj"),
    gating=("gate_proj", "up_proj"),
    activation="act_fn",
)
JOINED = Anatomy(
    layer=LAYER | {"resid_attn_dropout", "resid_mlp_dropout"},  # for training alone
    attention=frozenset({"qkv_proj", "o_proj"}),
    network=frozenset({"gate_up_proj", "down_proj", "activation_fn"}),
    turning=("qkv_proj",),
    gating=("gate_up_proj",),
    activation="activation_fn",
)

ANATOMIES = {
    "llama": APART,
    "mistral": APART,
    "qwen2": APART,
    "qwen2_vl_text": APART,
    "qwen2_5_vl_text": APART,
    "qwen3": APART,
    "qwen3_vl_text": APART,
    "phi3": JOINED,
}
"""Model types whose layers compute exactly what the fused decoder does."""
