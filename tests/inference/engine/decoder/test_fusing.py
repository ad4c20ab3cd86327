import copy

import pytest
import torch
import transformers as hf

from inference.engine.decoder.fused_decoder import FusedDecoder
from inference.engine.decoder.fusing import fuse, pack
from inference.engine.decoder.projections import DenseProjection, PackedProjection, can_pack
from inference.engine.kv_cache import CacheShape, KVCache
from inference.engine.row_attention import RowStep
from tests.support.flat_batches import batch_of, placed
from tests.support.tiny_models import tiny_llama

SHAPE = CacheShape(rows=2, row_blocks=4, block_size=8)
SIZES = {
    "vocab_size": 260,
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "bos_token_id": None,
    "eos_token_id": 1,
}
CONFIGS = {
    "llama": hf.LlamaConfig(**SIZES, attention_bias=True),
    "mistral": hf.MistralConfig(**SIZES, sliding_window=6),
    "qwen2": hf.Qwen2Config(**SIZES, tie_word_embeddings=True),
    "qwen3": hf.Qwen3Config(**SIZES, head_dim=16),
    "phi3": hf.Phi3Config(**SIZES, pad_token_id=0, sliding_window=6),
}


def model_of(name: str, dtype: torch.dtype = torch.float32) -> hf.PreTrainedModel:
    torch.manual_seed(0)
    model = hf.AutoModelForCausalLM.from_config(CONFIGS[name])
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    return model.to(dtype).eval().requires_grad_(False)


@torch.inference_mode()
def fused_scores(decoder: FusedDecoder, count: int = 20) -> torch.Tensor:
    batch = batch_of([placed("a", count, [4, 5, 6])], [count], SHAPE)
    step = RowStep(KVCache(SHAPE), batch)
    every = torch.arange(count)
    return decoder(torch.tensor(batch.tokens), every, every, step)


@torch.inference_mode()
def own_scores(model: hf.PreTrainedModel, count: int = 20) -> torch.Tensor:
    return model(input_ids=torch.arange(count).unsqueeze(0)).logits[0]


@pytest.mark.parametrize("name", CONFIGS)
def test_the_fused_decoder_gives_the_models_scores(name):
    model = model_of(name)
    expected = own_scores(model)

    decoder = fuse(model)

    assert decoder is not None
    torch.testing.assert_close(fused_scores(decoder), expected, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("name", CONFIGS)
def test_packed_weights_give_the_same_scores(name):
    model = model_of(name)
    expected = own_scores(model)
    decoder = fuse(model)

    pack(model, decoder)

    assert isinstance(decoder.layers[0].down, PackedProjection)
    torch.testing.assert_close(fused_scores(decoder), expected, atol=1e-4, rtol=1e-4)


def test_fusing_leaves_the_model_working_and_takes_no_more_memory():
    model = model_of("llama")
    expected = own_scores(model)

    decoder = fuse(model)

    torch.testing.assert_close(own_scores(model), expected)
    joined = decoder.layers[0].queries_keys_values.weight
    assert model.model.layers[0].self_attn.v_proj.weight.untyped_storage().data_ptr() == (
        joined.untyped_storage().data_ptr()
    )


def test_packing_lets_the_models_own_weights_go_but_not_a_tied_embedding():
    model = model_of("qwen2")
    decoder = fuse(model)

    pack(model, decoder)

    assert model.model.layers[0].self_attn.q_proj.weight.numel() == 0
    assert model.get_input_embeddings().weight.numel() == 260 * 32


@pytest.mark.skipif(not can_pack(torch.zeros(1, dtype=torch.bfloat16)), reason="no bf16 here")
def test_bfloat16_weights_agree_within_their_precision():
    model = model_of("llama", torch.bfloat16)
    exact = own_scores(copy.deepcopy(model).float())
    own_error = (own_scores(model) - exact).norm()
    decoder = fuse(model)
    pack(model, decoder)

    error = (fused_scores(decoder).float() - exact).norm()

    assert error < 2 * own_error


def test_another_shape_is_not_fused():
    config = hf.GPT2Config(vocab_size=260, n_embd=32, n_layer=1, n_head=2)

    assert fuse(hf.AutoModelForCausalLM.from_config(config)) is None


def test_a_layer_with_one_more_part_is_not_fused():
    model = tiny_llama()
    model.model.layers[1].mlp.extra_norm = torch.nn.LayerNorm(4)

    assert fuse(model) is None


def test_a_model_that_turns_a_part_of_each_head_is_not_fused():
    config = hf.Phi3Config(**SIZES, pad_token_id=0, partial_rotary_factor=0.5)

    assert fuse(hf.AutoModelForCausalLM.from_config(config)) is None


def test_half_precision_on_cpu_stays_as_it_is():
    model = model_of("llama", torch.float16)
    decoder = fuse(model)

    pack(model, decoder)

    assert isinstance(decoder.head, DenseProjection)
