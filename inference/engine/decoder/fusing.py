"""From a transformers model to its fast decoder, with the same weights in the same memory."""

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import nn
from transformers import PreTrainedModel

from inference.engine.attention import ScoreOptions
from inference.engine.config import Weights
from inference.engine.decoder.anatomy import ANATOMIES, Anatomy
from inference.engine.decoder.fused_decoder import FusedDecoder, FusedLayer, Norm
from inference.engine.decoder.projections import (
    DenseProjection,
    join,
)
from inference.engine.decoder.weight_layouts import HEAD_LAYS, LAYS
from inference.engine.placement import is_shared


def fuse(model: PreTrainedModel) -> FusedDecoder | None:
    """Return the fast decoder of a model; None where it has another shape.

    The model goes on working: joined weights replace the parts they were joined from. Of a
    vision-language model the decoder alone is fused; its tower stays as it is.
    """
    config = model.config.get_text_config()
    anatomy = ANATOMIES.get(config.model_type)
    if anatomy is None or getattr(model, "hf_quantizer", None) or not _turns_wholly(config):
        return None
    if is_shared(model):
        return None
    base: Any = model.get_decoder()
    if not all(anatomy.fits(layer) for layer in base.layers) or len(_devices(model)) > 1:
        return None
    head: Any = model.get_output_embeddings()
    return FusedDecoder(
        embedding=base.embed_tokens.weight.data,
        layers=[_fuse_layer(anatomy, layer, number) for number, layer in enumerate(base.layers)],
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
    for owner, name, linears in projections_of(model, decoder):
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


def projections_of(
    model: PreTrainedModel, decoder: FusedDecoder
) -> Iterator[tuple[FusedDecoder | FusedLayer, str, list[nn.Linear]]]:
    """Return every projection: who holds it, under which name, and the modules it was made of."""
    anatomy = ANATOMIES[model.config.get_text_config().model_type]
    base: Any = model.get_decoder()
    for fused, layer in zip(decoder.layers, base.layers, strict=True):
        yield fused, "queries_keys_values", anatomy.turning_of(layer)
        yield fused, "output", [layer.self_attn.o_proj]
        yield fused, "gate_and_up", anatomy.gating_of(layer)
        yield fused, "down", [layer.mlp.down_proj]
    head: Any = model.get_output_embeddings()
    yield decoder, "head", [head]


def _turns_wholly(config: Any) -> bool:
    """Whether positions turn every part of a head."""
    rope: dict[str, Any] = getattr(config, "rope_parameters", None) or {}
    return float(rope.get("partial_rotary_factor", 1.0)) == 1.0


def _devices(model: PreTrainedModel) -> set[torch.device]:
    return {parameter.device for parameter in model.parameters()}


def _fuse_layer(anatomy: Anatomy, layer: Any, number: int) -> FusedLayer:
    attention, network = layer.self_attn, layer.mlp
    activation: Callable[[torch.Tensor], torch.Tensor] = getattr(network, anatomy.activation)
    return FusedLayer(
        number=number,
        before_attention=_norm(layer.input_layernorm),
        queries_keys_values=join(anatomy.turning_of(layer)),
        heads=attention.config.num_attention_heads,
        key_heads=attention.config.num_key_value_heads,
        query_norm=_norm(attention.q_norm) if hasattr(attention, "q_norm") else None,
        key_norm=_norm(attention.k_norm) if hasattr(attention, "k_norm") else None,
        output=_dense(attention.o_proj),
        before_network=_norm(layer.post_attention_layernorm),
        gate_and_up=join(anatomy.gating_of(layer)),
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
