"""From a transformers model to its fast decoder, with the same weights in the same memory."""

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import nn
from transformers import PreTrainedModel

from inference.engine.attention import ScoreOptions
from inference.engine.config import Weights
from inference.engine.decoder.fused_decoder import FusedDecoder, FusedLayer, Norm
from inference.engine.decoder.projections import (
    DenseProjection,
    are_alike,
    join,
)
from inference.engine.decoder.weight_layouts import HEAD_LAYS, LAYS
from inference.engine.placement import is_shared

FUSABLE_TYPES = frozenset({"llama", "mistral", "qwen2", "qwen3"})
"""Model types of exactly this shape; whatever else a layer held would be left out silently."""

LAYER_PARTS = {"self_attn", "mlp", "input_layernorm", "post_attention_layernorm"}
ATTENTION_PARTS = {"q_proj", "k_proj", "v_proj", "o_proj"}
NETWORK_PARTS = {"gate_proj", "up_proj", "down_proj", "act_fn"}


def fuse(model: PreTrainedModel) -> FusedDecoder | None:
    """Return the fast decoder of a model; None where it has another shape.

    The model goes on working: joined weights replace the parts they were joined from.
    """
    if model.config.model_type not in FUSABLE_TYPES or getattr(model, "hf_quantizer", None):
        return None
    if is_shared(model):
        return None
    base: Any = model.base_model
    if not all(_is_llama_shaped(layer) for layer in base.layers) or len(_devices(model)) > 1:
        return None
    head: Any = model.get_output_embeddings()
    return FusedDecoder(
        embedding=base.embed_tokens.weight.data,
        layers=[_fuse_layer(layer, number) for number, layer in enumerate(base.layers)],
        norm=_norm(base.norm),
        head=_dense(head),
        rotary=base.rotary_emb,
    )


def pack(model: PreTrainedModel, decoder: FusedDecoder, weights: Weights = "as_loaded") -> int:
    """Lay a fused decoder's weights out for this processor, where that pays, or in fewer bits.

    From then on only the decoder can compute: the model's own weights are let go one by one, so
    that there is never more than one of them twice in memory.

    Returns:
        Bytes that the projections take less than before.
    """
    saved = 0
    for owner, name, linears in _projections(model, decoder):
        before = getattr(owner, name)
        lay = (HEAD_LAYS if name == "head" else LAYS)[weights]
        projection = lay(before.weight, before.bias)
        if projection is None:
            continue
        setattr(owner, name, projection)
        saved -= projection.stored_bytes
        for linear in linears:
            if linear.weight is not model.get_input_embeddings().weight:  # a tied head
                saved += linear.weight.nbytes
                linear.weight = nn.Parameter(linear.weight.new_empty(0), requires_grad=False)
    return saved


def _projections(
    model: PreTrainedModel, decoder: FusedDecoder
) -> Iterator[tuple[FusedDecoder | FusedLayer, str, list[nn.Linear]]]:
    """Every projection: who holds it, under which name, and the modules it was made of."""
    base: Any = model.base_model
    for fused, layer in zip(decoder.layers, base.layers, strict=True):
        attention, network = layer.self_attn, layer.mlp
        yield fused, "queries_keys_values", [attention.q_proj, attention.k_proj, attention.v_proj]
        yield fused, "output", [attention.o_proj]
        yield fused, "gate_and_up", [network.gate_proj, network.up_proj]
        yield fused, "down", [network.down_proj]
    head: Any = model.get_output_embeddings()
    yield decoder, "head", [head]


def _is_llama_shaped(layer: nn.Module) -> bool:
    attention: Any = layer.self_attn
    network: Any = layer.mlp
    return (
        {name for name, _ in layer.named_children()} == LAYER_PARTS
        and {name for name, _ in attention.named_children()} - {"q_norm", "k_norm"}
        == ATTENTION_PARTS
        and {name for name, _ in network.named_children()} == NETWORK_PARTS
        and are_alike([attention.q_proj, attention.k_proj, attention.v_proj])
        and are_alike([network.gate_proj, network.up_proj])
        and type(attention.o_proj) is nn.Linear
        and type(network.down_proj) is nn.Linear
    )


def _devices(model: PreTrainedModel) -> set[torch.device]:
    return {parameter.device for parameter in model.parameters()}


def _fuse_layer(layer: Any, number: int) -> FusedLayer:
    attention, network = layer.self_attn, layer.mlp
    activation: Callable[[torch.Tensor], torch.Tensor] = network.act_fn
    return FusedLayer(
        number=number,
        before_attention=_norm(layer.input_layernorm),
        queries_keys_values=join([attention.q_proj, attention.k_proj, attention.v_proj]),
        heads=attention.q_proj.out_features // attention.head_dim,
        key_heads=attention.k_proj.out_features // attention.head_dim,
        query_norm=_norm(attention.q_norm) if hasattr(attention, "q_norm") else None,
        key_norm=_norm(attention.k_norm) if hasattr(attention, "k_norm") else None,
        output=_dense(attention.o_proj),
        before_network=_norm(layer.post_attention_layernorm),
        gate_and_up=join([network.gate_proj, network.up_proj]),
        activation=activation,
        down=_dense(network.down_proj),
        options=ScoreOptions(scaling=attention.scaling, sliding_window=_sliding_window(attention)),
    )


def _sliding_window(attention: Any) -> int | None:
    """Return a layer's window: its own where it says, else the configuration's, as Mistral's."""
    window: int | None = getattr(attention, "sliding_window", None)
    if not hasattr(attention, "sliding_window"):
        window = getattr(attention.config, "sliding_window", None)
    return window


def _norm(module: Any) -> Norm:
    return Norm(module.weight.data, module.variance_epsilon)


def _dense(linear: nn.Linear) -> DenseProjection:
    return DenseProjection(linear.weight.data, None if linear.bias is None else linear.bias.data)
