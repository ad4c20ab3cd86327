import logging

import pytest
import torch
import transformers as hf
from torch import nn

from inference.demo_models import demo_model_folders
from inference.engine.config import EngineConfig
from inference.engine.decoder.int8 import Int8Projection, Int8WeightProjection
from inference.engine.decoder.packing import pack_linears, restore_linears
from inference.engine.decoder.projections import DenseProjection
from inference.engine.llm_engine import LLMEngine
from inference.engine.weight_choice import check_weights
from inference.exceptions import ModelLoadError
from inference.generation import SamplingParams
from tests.support.architectures import model_of
from tests.support.engine_runs import answer_together
from tests.support.tiny_models import tiny_llama

QUESTIONS = ["Hello!", "What is the capital of France?", "Tell me a joke.", "你好"]
SHORT = SamplingParams(temperature=0.0, max_tokens=12)


def demo_answers(weights):
    folder = demo_model_folders()["demo-large"]
    model = hf.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    tokenizer = hf.AutoTokenizer.from_pretrained(folder)
    config = EngineConfig(name="demo-large", context_length=256, threads=1, weights=weights)
    engine = LLMEngine(model, tokenizer, config)
    return answer_together(engine, QUESTIONS, SHORT)


def engine_over(model, tokenizer, **settings):
    config = EngineConfig(
        name="tiny", max_num_seqs=4, max_batched_tokens=16, context_length=256, threads=1,
        **settings,
    )  # fmt: skip
    return LLMEngine(model, tokenizer, config)


def plain_linears(model):
    return [module for module in model.modules() if type(module) is nn.Linear]


def test_a_trained_model_in_eight_bits_begins_its_answers_as_before():
    exact = demo_answers("as_loaded")

    found = demo_answers("int8")

    same = [mine[:6] == own[:6] for mine, own in zip(found, exact, strict=True)]
    assert sum(same) >= len(QUESTIONS) - 1


@pytest.mark.parametrize("weights", ["int8", "int4"])
def test_fewer_bits_answer_every_request_and_tell_their_error(weights, tokenizer, caplog):
    caplog.set_level(logging.INFO, logger="inference.engine.weight_choice")
    engine = engine_over(tiny_llama(), tokenizer, weights=weights)

    answers = answer_together(engine, QUESTIONS[:3])

    assert [len(answer) for answer in answers] == [24, 24, 24]
    assert f"keeps its weights as {weights}" in caplog.text
    head = engine._runner._forward.head
    assert isinstance(head, Int8Projection | Int8WeightProjection)


def test_weights_stay_where_packing_is_not_wanted(tokenizer):
    model = tiny_llama()

    engine = engine_over(model, tokenizer, pack_weights=False)

    assert isinstance(engine._runner._forward.head, DenseProjection)
    assert all(linear.weight.numel() > 0 for linear in plain_linears(model))


def test_fewer_bits_are_refused_for_a_model_of_another_shape(tokenizer):
    with pytest.raises(ModelLoadError, match=r"gpt_neox.*int8"):
        engine_over(model_of("gpt_neox"), tokenizer, weights="int8")


def test_a_kind_of_weights_nobody_knows_is_refused():
    with pytest.raises(ValueError, match="weights must be one of as_loaded, int8, int4"):
        EngineConfig(weights="int3")


@pytest.mark.parametrize("name", ["gpt_neox", "gemma2"])
def test_every_linear_layer_of_another_model_is_packed_and_its_weight_let_go(name, tokenizer):
    model = model_of(name)
    before = {id(linear): linear.weight.dtype for linear in plain_linears(model)}

    engine_over(model, tokenizer)

    for linear in plain_linears(model):
        is_tied = linear.weight is model.get_input_embeddings().weight
        assert (linear.weight.numel() > 0) == is_tied
        assert linear.weight.dtype == before[id(linear)]
        assert linear.weight.device.type == "cpu"


def test_a_model_that_reads_a_weight_itself_keeps_all_of_them(tokenizer, caplog):
    model = model_of("gpt_neox")
    layer = model.gpt_neox.layers[0].mlp.dense_4h_to_h
    down = torch.nn.functional.linear
    model.gpt_neox.layers[0].mlp.register_forward_hook(
        lambda _module, _inputs, output: output + 0 * down(output.new_ones(64), layer.weight)
    )
    expected = [linear.weight.clone() for linear in plain_linears(model)]

    engine = engine_over(model, tokenizer)

    assert "keeps its weights unpacked" in caplog.text
    assert type(engine._runner).__name__ == "PackedRunner"
    for linear, weight in zip(plain_linears(model), expected, strict=True):
        assert torch.equal(linear.weight, weight)


def test_packed_layers_give_the_models_scores_and_can_be_restored():
    model = model_of("gpt_neox").requires_grad_(False)
    tokens = torch.arange(20).unsqueeze(0)
    expected = model(tokens).logits

    packed = pack_linears(model)
    found = model(tokens).logits
    restore_linears(packed)

    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)
    assert torch.equal(model(tokens).logits, expected)


def test_quantized_and_spread_models_are_left_alone():
    quantized, spread = model_of("gpt_neox"), model_of("gpt_neox")
    quantized.hf_quantizer = object()
    spread.hf_device_map = {"gpt_neox": 0, "embed_out": "cpu"}

    assert pack_linears(quantized) == pack_linears(spread) == []


def test_fewer_bits_are_refused_away_from_the_cpu():
    model = tiny_llama().to("meta")
    model.get_input_embeddings()._hf_hook = type("Hook", (), {"execution_device": "cuda:0"})()

    with pytest.raises(ModelLoadError, match="runs on cuda"):
        check_weights(model, EngineConfig(weights="int4"), is_fused=True)
