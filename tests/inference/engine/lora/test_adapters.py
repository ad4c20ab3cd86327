"""Adapters in the engine: each answers as peft has it, beside others and the bare model."""

import copy
from dataclasses import replace

import pytest
import torch
from transformers import (
    AutoModelForCausalLM,
    BitsAndBytesConfig,
    BloomConfig,
    GPT2Config,
    MambaConfig,
    MixtralConfig,
    Phi3Config,
    Qwen2Config,
    T5Config,
    T5ForConditionalGeneration,
)

from inference.engine.config import EngineConfig
from inference.engine.llm_engine import LLMEngine
from inference.engine.lora.low_rank import Adapter, LowRank
from inference.exceptions import ModelLoadError, ModelNotFoundError
from tests.support.engine_runs import GREEDY, drain, naive_greedy, said, tokens_of
from tests.support.lora_adapters import ATTENTION, EVERY_PROJECTION, adapter_of, peft_model
from tests.support.tiny_models import byte_tokenizer, tiny_llama

PROMPTS = ("Hello there!", "What is a floor?", "Tell me a long story about rooms, please.")


@pytest.fixture(scope="module")
def adapted(tiny_model):
    """Two adapters of the tiny model as peft computes them: one of attention, one of everything."""
    return {
        "poet": peft_model(tiny_model, modules=ATTENTION, seed=1),
        "clerk": peft_model(tiny_model, modules=(*EVERY_PROJECTION, "lm_head"), seed=2, r=3),
    }


@pytest.fixture(scope="module")
def truth(tiny_model, adapted, tokenizer):
    """Greedy answers by peft and by the bare model, per adapter and prompt."""
    models = {"": tiny_model, **adapted}
    return {
        (name, prompt): naive_greedy(model, tokenizer, prompt)
        for name, model in models.items()
        for prompt in PROMPTS
    }


@pytest.fixture
def make_adapted(tiny_model, tokenizer, adapted):
    """Make an engine over a copy of the tiny model with both adapters."""

    def make(model=None, **settings: object) -> LLMEngine:
        config = EngineConfig(**{"name": "tiny", "threads": 1, "block_size": 16, **settings})
        weights = {name: adapter_of(one) for name, one in adapted.items()}
        model = copy.deepcopy(tiny_model) if model is None else model
        return LLMEngine(model, tokenizer, config, adapters=weights)

    return make


def answers(engine: LLMEngine, orders, params=GREEDY):
    """Answer (adapter, prompt) pairs all at once; return the tokens of each."""
    for adapter, prompt in orders:
        engine.submit(f"{adapter}/{prompt}", messages=said(prompt), params=params, adapter=adapter)
    outputs = drain(engine)
    return {
        (adapter, prompt): tokens_of(outputs[f"{adapter}/{prompt}"]) for adapter, prompt in orders
    }


@pytest.mark.parametrize("adapter", ["poet", "clerk", ""])
def test_an_adapter_alone_answers_as_peft_generates(make_adapted, truth, adapter):
    engine = make_adapted(max_num_seqs=1)

    found = answers(engine, [(adapter, prompt) for prompt in PROMPTS])

    assert found == {key: tokens for key, tokens in truth.items() if key[0] == adapter}


@pytest.mark.parametrize("max_batched_tokens", [16, 256])
def test_adapters_and_the_bare_model_share_a_batch(make_adapted, truth, max_batched_tokens):
    engine = make_adapted(max_num_seqs=9, max_batched_tokens=max_batched_tokens)

    found = answers(engine, list(truth))

    assert found == truth
    different = {tuple(tokens) for tokens in truth.values()}
    assert len(different) == len(truth)  # else nothing would have been shown


def test_merged_weights_answer_the_same(make_adapted, adapted, tokenizer):
    merged = copy.deepcopy(adapted["clerk"]).merge_and_unload()

    found = answers(make_adapted(), [("clerk", prompt) for prompt in PROMPTS])

    for prompt in PROMPTS:
        assert found["clerk", prompt] == naive_greedy(merged, tokenizer, prompt)


def test_a_model_that_runs_packed_takes_adapters(make_adapted, truth, monkeypatch):
    monkeypatch.setattr("inference.engine.runner_choice.fuse", lambda _: None)
    engine = make_adapted()

    found = answers(engine, list(truth))

    assert engine.describe().startswith("packed")
    assert found == truth


@pytest.mark.parametrize("pack_weights", [False, True])
def test_adapters_go_with_packed_and_unpacked_weights(make_adapted, truth, pack_weights):
    engine = make_adapted(pack_weights=pack_weights)

    assert answers(engine, list(truth)) == truth


@pytest.mark.parametrize("weights", ["int8", "int4"])
def test_weights_in_fewer_bits_take_adapters(weights, tokenizer):
    model = tiny_llama(hidden_size=64)
    adapter = adapter_of(peft_model(model, std=1.0))
    config = EngineConfig(name="tiny", threads=1, block_size=16, weights=weights)
    engine = LLMEngine(model, tokenizer, config, adapters={"poet": adapter})

    found = answers(engine, [("", PROMPTS[0]), ("poet", PROMPTS[0])])

    assert found["", PROMPTS[0]] != found["poet", PROMPTS[0]]


@pytest.mark.parametrize("width", ["load_in_8bit", "load_in_4bit"])
def test_a_base_that_was_loaded_in_fewer_bits_takes_adapters(tmp_path, tokenizer, width):
    # As QLoRA trains them: the base rounded, the adapter in full.
    tiny_llama(hidden_size=64).save_pretrained(tmp_path)
    quantization = BitsAndBytesConfig(
        **{width: True}, bnb_4bit_compute_dtype=torch.float32, bnb_4bit_quant_type="nf4"
    )
    model = AutoModelForCausalLM.from_pretrained(
        tmp_path, quantization_config=quantization, dtype=torch.float32
    )
    peft = peft_model(model, copied=False, std=0.5)
    adapter = adapter_of(peft)
    wanted = [naive_greedy(peft, tokenizer, prompt, 8) for prompt in PROMPTS]
    engine = LLMEngine(
        peft.unload(), tokenizer, EngineConfig(name="tiny", threads=1), adapters={"poet": adapter}
    )

    params = replace(GREEDY, max_tokens=8)
    found = answers(engine, [("poet", prompt) for prompt in PROMPTS], params)

    assert [found["poet", prompt] for prompt in PROMPTS] == wanted
    assert answers(engine, [("", PROMPTS[0])], params)["", PROMPTS[0]] != wanted[0]


def test_prefixes_are_not_shared_between_adapters(make_adapted, truth):
    engine = make_adapted(block_size=8, max_num_seqs=1)
    prompt = PROMPTS[2]

    first = answers(engine, [("", prompt)])
    other = answers(engine, [("poet", prompt)])
    cached_by_other = engine.stats().cached_tokens
    again = answers(engine, [("poet", prompt)])

    assert first["", prompt] == truth["", prompt]
    assert other["poet", prompt] == again["poet", prompt] == truth["poet", prompt]
    assert cached_by_other == 0
    assert engine.stats().cached_tokens > 0


def test_preempted_answers_keep_their_adapter(make_adapted, truth):
    engine = make_adapted(max_num_seqs=6, kv_cache_tokens=256)
    orders = [key for key in truth if key[0]]

    found = answers(engine, orders)

    assert engine.stats().preemptions > 0
    assert found == {key: truth[key] for key in orders}


def test_several_answers_of_a_request_have_its_adapter(make_adapted, truth):
    engine = make_adapted()
    params = replace(GREEDY, n=2)

    engine.submit("both", messages=said(PROMPTS[0]), params=params, adapter="poet")
    outputs = drain(engine)["both"]

    for choice in (0, 1):
        tokens = [output.token for output in outputs if output.choice == choice]
        assert tokens == truth["poet", PROMPTS[0]]


def test_adapters_go_with_guesses_ahead(make_adapted, truth):
    engine = make_adapted(speculation="prompt_lookup")

    assert answers(engine, list(truth)) == truth


def test_the_base_is_in_memory_once(tiny_model, make_adapted, truth):
    model = copy.deepcopy(tiny_model)
    before = {parameter.data_ptr() for parameter in model.parameters()}
    sizes = sum(parameter.nbytes for parameter in model.parameters())
    monitored = make_adapted(model, pack_weights=False)

    answers(monitored, list(truth))

    # Joined siblings moved once; nothing was copied for an adapter.
    assert sum(parameter.nbytes for parameter in model.parameters()) == sizes
    heads = model.lm_head.weight.data_ptr(), model.model.embed_tokens.weight.data_ptr()
    assert set(heads) <= before
    projections = {
        layer.queries_keys_values._projection.weight.data_ptr()
        for layer in monitored._chosen.forward.layers
    }
    own = {layer.self_attn.q_proj.weight.data_ptr() for layer in model.model.layers}
    assert projections == own


LLAMA_SIZES = {
    "vocab_size": 260, "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2,
    "num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 256,
    "pad_token_id": 0, "eos_token_id": 1, "bos_token_id": None,
}  # fmt: skip
OLDER_SIZES = {
    "vocab_size": 260, "hidden_size": 32, "n_layer": 2, "n_head": 4, "eos_token_id": 1,
    "bos_token_id": 1,
}  # fmt: skip
FAMILIES = {
    "joined projections, fused": (Phi3Config(**LLAMA_SIZES), ("qkv_proj", "gate_up_proj")),
    "biases, fused": (Qwen2Config(**LLAMA_SIZES), ("k_proj", "down_proj")),
    "experts, packed": (MixtralConfig(num_local_experts=4, **LLAMA_SIZES), ("q_proj", "o_proj")),
    "transposed weights, packed": (
        GPT2Config(n_embd=32, n_positions=256, **OLDER_SIZES),
        ("c_attn", "c_fc"),
    ),
    "positions in the scores, plain": (BloomConfig(**OLDER_SIZES), ("query_key_value", "dense")),
    "states, plain": (
        MambaConfig(
            vocab_size=260, hidden_size=32, num_hidden_layers=2, state_size=8, eos_token_id=1,
            pad_token_id=0, bos_token_id=1,
        ),
        ("in_proj", "x_proj"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("family", FAMILIES)
def test_other_families_take_adapters(family, tokenizer):
    config, modules = FAMILIES[family]
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(config).eval()
    for parameter in model.parameters():
        if parameter.dim() >= 2:
            torch.nn.init.normal_(parameter, std=0.2)
    peft = peft_model(model, modules=modules, fan_in_fan_out="transposed" in family)
    engine = LLMEngine(
        copy.deepcopy(model),
        tokenizer,
        EngineConfig(name="other", threads=1, context_length=256),
        adapters={"poet": adapter_of(peft)},
    )

    found = answers(engine, [("", PROMPTS[1]), ("poet", PROMPTS[0]), ("poet", PROMPTS[1])])

    assert engine.describe().startswith(family.rpartition(" ")[2])
    assert found["", PROMPTS[1]] == naive_greedy(model, tokenizer, PROMPTS[1])
    for prompt in PROMPTS[:2]:
        assert found["poet", prompt] == naive_greedy(peft, tokenizer, prompt)
    assert found["", PROMPTS[1]] != found["poet", PROMPTS[1]]


def test_vectors_are_those_of_the_adapter(make_adapted, adapted, tiny_model, tokenizer):
    engine = make_adapted()
    ids = list(range(10, 40))

    for adapter in ("", "clerk"):
        engine.submit_embedding(adapter or "bare", token_ids=ids, adapter=adapter)
    outputs = drain(engine)

    for name, model in {"bare": tiny_model, "clerk": adapted["clerk"]}.items():
        with torch.inference_mode():
            states = model(torch.tensor([ids]), output_hidden_states=True).hidden_states[-1]
        wanted = torch.nn.functional.normalize(states[0].mean(dim=0), dim=0)
        found = torch.as_tensor(outputs[name][-1].embedding)
        torch.testing.assert_close(found.float(), wanted, rtol=1e-4, atol=1e-4)


def test_an_encoder_decoder_takes_none_and_says_so(tokenizer):
    config = T5Config(
        vocab_size=260, d_model=32, d_kv=8, d_ff=64, num_layers=1, num_heads=2,
        decoder_start_token_id=0,
    )  # fmt: skip
    model = T5ForConditionalGeneration(config).eval()
    adapter = adapter_of(peft_model(model, modules=("q",)))

    with pytest.raises(ModelLoadError, match="is an encoder-decoder, which takes no adapters"):
        LLMEngine(model, tokenizer, EngineConfig(context_length=64), adapters={"poet": adapter})


def test_an_unknown_adapter_is_refused(make_adapted):
    engine = make_adapted()

    with pytest.raises(ModelNotFoundError, match="'nobody'"):
        engine.submit("1", messages=said("Hi"), adapter="nobody")


@pytest.mark.parametrize(
    ("name", "shape", "complaint"),
    [
        ("model.layers.9.self_attn.q_proj", (64, 64), "is not there"),
        ("model.layers.0.self_attn.q_proj", (48, 64), "maps 64 to 64 and the adapter 48 to 64"),
        ("model.embed_tokens", (64, 64), "is an embedding"),
        ("model.norm", (64, 64), "no projection"),
    ],
)
def test_an_adapter_of_another_model_is_refused(tokenizer, name, shape, complaint):
    width, height = shape
    adapter = Adapter({name: LowRank(torch.zeros(2, width), torch.zeros(height, 2))})

    with pytest.raises(ModelLoadError, match=complaint):
        LLMEngine(tiny_llama(), tokenizer, EngineConfig(name="tiny"), adapters={"poet": adapter})


def test_an_adapter_of_what_text_does_not_pass_through_is_refused(tokenizer):
    model = tiny_llama()
    model.model.eye = torch.nn.Linear(8, 8)
    adapter = Adapter({"model.eye": LowRank(torch.zeros(2, 8), torch.zeros(8, 2))})

    with pytest.raises(ModelLoadError, match=r"model\.eye, which no text passes through"):
        LLMEngine(model, tokenizer, EngineConfig(name="tiny"), adapters={"poet": adapter})


def test_scores_that_the_runner_gets_wrong_are_noticed(tiny_model, monkeypatch):
    weights = adapter_of(peft_model(tiny_model))
    monkeypatch.setattr("inference.engine.lora.adapted.AdaptedProjection._adapt", lambda _, x, y: y)

    with pytest.raises(ModelLoadError, match="computes adapter 'poet' wrongly"):
        LLMEngine(
            tiny_llama(), byte_tokenizer(), EngineConfig(name="tiny"), adapters={"poet": weights}
        )
