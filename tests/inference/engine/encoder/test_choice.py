import copy

import pytest
import torch
import transformers as hf

from inference.engine.config import EngineConfig
from inference.engine.encoder.choice import choose_text_runner, position_room
from inference.engine.encoder.runner import EqualBatches, FlatTexts
from inference.engine.llm_engine import LLMEngine
from inference.engine.parallel.channel import PlanChannel
from inference.exceptions import ContextLengthExceededError, InvalidRequestError, ModelLoadError
from inference.generation import FinishReason
from tests.support.engine_runs import drain, said
from tests.support.text_models import (
    ENCODERS,
    embed,
    enclosing_tokenizer,
    own_vector,
    random_encoder,
    vector_of,
)

TEXTS = ["Hello!", "What is the capital of France? " * 3, "x", "你好，世界", "Helli!", "y" * 60]
CROWD = [f"text {number}: {'words ' * (number // 2)}" for number in range(20)]
FLAT = [name for name in ENCODERS if name != "mpnet"]


@pytest.fixture(scope="module")
def tokenizer():
    return enclosing_tokenizer()


def engine_of(name, tokenizer, **settings):
    config = EngineConfig(**{"name": name, "max_batched_tokens": 64, "threads": 1, **settings})
    return LLMEngine(random_encoder(name), tokenizer, config)


def own_vectors(name, tokenizer, texts, **options):
    model = random_encoder(name)
    return [own_vector(model, tokenizer(text)["input_ids"], **options) for text in texts]


def assert_close(found, expected, *, within=1e-5):
    for one, other in zip(found, expected, strict=True):
        assert float((one - other).abs().max()) <= within


@pytest.mark.parametrize("name", ENCODERS)
@pytest.mark.parametrize("pooling", ["mean", "cls", "last"])
def test_an_encoder_gives_the_vectors_of_transformers_alone(name, pooling, tokenizer):
    engine = engine_of(name, tokenizer)

    found = embed(engine, TEXTS, pooling=pooling)

    assert_close(found, own_vectors(name, tokenizer, TEXTS, pooling=pooling))
    assert engine.stats().used_blocks == 0


@pytest.mark.parametrize("name", ENCODERS)
def test_company_does_not_change_a_vector(name, tokenizer):
    engine = engine_of(name, tokenizer, max_num_seqs=32)

    (alone,) = embed(engine, ["Tell me about the sea."])
    crowded = embed(engine, ["Tell me about the sea.", *CROWD])[0]

    assert_close([crowded], [alone], within=1e-6)


@pytest.mark.parametrize("name", FLAT)
def test_texts_of_all_lengths_share_a_forward_pass(name, tokenizer):
    chosen = choose_text_runner(random_encoder(name), EngineConfig(), context_length=128)

    assert isinstance(chosen.runner._forward, FlatTexts)
    assert chosen.context_length == 128


def test_a_model_with_attention_of_its_own_kind_reads_equal_lengths_together(caplog):
    chosen = choose_text_runner(random_encoder("mpnet"), EngineConfig(), context_length=128)

    assert isinstance(chosen.runner._forward, EqualBatches)
    assert "equal length" in caplog.text


def test_positions_behind_padding_narrow_the_window(tokenizer):
    assert position_room(random_encoder("roberta")) == (2, 128)
    assert position_room(random_encoder("bert")) == (0, 128)
    assert position_room(random_encoder("modernbert")) == (0, None)

    engine = engine_of("roberta", tokenizer)

    assert engine.config.context_length is None
    assert engine.context_length == 128
    assert_close(embed(engine, ["y" * 126]), own_vectors("roberta", tokenizer, ["y" * 126]))


def test_a_text_longer_than_a_step_is_read_whole_in_a_step_of_its_own(tokenizer):
    engine = engine_of("bert", tokenizer, max_batched_tokens=32)
    texts = ["short", "y" * 100, "also short", "z" * 90]

    for number, text in enumerate(texts):
        engine.submit_embedding(str(number), text=text)
    steps = []
    while engine.has_work():
        steps.append({output.request_id: [output] for output in engine.step()})

    vectors = {name: vector_of(outputs) for step in steps for name, outputs in step.items()}
    assert [sorted(step) for step in steps] == [["0", "2"], ["1"], ["3"]]
    assert_close(
        [vectors[str(number)] for number in range(4)], own_vectors("bert", tokenizer, texts)
    )


def test_short_texts_that_keep_coming_do_not_starve_a_long_one(tokenizer):
    engine = engine_of("bert", tokenizer, max_batched_tokens=32, max_num_seqs=4)
    engine.submit_embedding("first", text="short")
    engine.submit_embedding("long", text="y" * 100)

    seen = []
    for number in range(6):
        engine.submit_embedding(f"late {number}", text="short")
        seen += [output.request_id for output in engine.step()]

    assert "long" in seen


def test_a_text_too_long_is_cut_but_for_its_closing_token(tokenizer):
    engine = engine_of("bert", tokenizer)
    tokens = tokenizer("y" * 200)["input_ids"]

    with pytest.raises(ContextLengthExceededError, match="202 tokens, the model takes 128"):
        engine.submit_embedding("a", text="y" * 200)
    (cut,) = embed(engine, ["y" * 200], truncate=True)

    expected = own_vector(random_encoder("bert"), [*tokens[:127], tokens[-1]])
    assert_close([cut], [expected])


def test_an_encoder_does_not_chat(tokenizer):
    engine = engine_of("bert", tokenizer)

    with pytest.raises(InvalidRequestError, match="bert turns texts into vectors only"):
        engine.submit("a", messages=said("Hello!"))

    assert not engine.has_work()


def test_an_empty_text_is_refused_though_its_tokenizer_adds_tokens(tokenizer):
    with pytest.raises(InvalidRequestError, match="empty"):
        engine_of("bert", tokenizer).submit_embedding("a", text="")


def test_an_encoder_warms_up_and_says_how_it_runs(tokenizer):
    engine = engine_of("bert", tokenizer, max_num_seqs=4)

    engine.warm_up()

    assert engine.describe() == "flat texts runner, room for 512 tokens, window of 128, 4 slots"
    assert engine.stats().used_blocks == 0
    assert_close(embed(engine, TEXTS), own_vectors("bert", tokenizer, TEXTS))


@pytest.mark.parametrize("steps", [0, 1])
def test_a_cancelled_text_leaves_the_others_alone(tokenizer, steps):
    engine = engine_of("bert", tokenizer, max_num_seqs=1)
    for number, text in enumerate(TEXTS[:3]):
        engine.submit_embedding(str(number), text=text)
    begun = [output for _ in range(steps) for output in engine.step()]

    engine.cancel("2")
    outputs = drain(engine)

    assert outputs["2"][0].finish_reason is FinishReason.CANCELLED
    assert outputs["2"][0].embedding is None
    found = [vector_of(outputs.get(name) or begun) for name in "01"]
    assert_close(found, own_vectors("bert", tokenizer, TEXTS[:2]))


def test_a_text_that_breaks_the_model_fails_alone(tokenizer):
    engine = engine_of("bert", tokenizer)
    forward = engine._runner._forward

    def fragile(texts):
        if any(len(text) == 8 for text in texts):  # six characters and what encloses them
            raise RuntimeError("bad kernel")
        return forward(texts)

    engine._runner._forward = fragile
    for number, text in enumerate(["Hello!", "x", "longer than that"]):
        engine.submit_embedding(str(number), text=text)
    outputs = drain(engine)

    assert outputs["0"][0].failure.code == "model_error"
    found = [vector_of(outputs[name]) for name in "12"]
    assert_close(found, own_vectors("bert", tokenizer, ["x", "longer than that"]))


def test_a_text_is_never_read_in_parts_for_want_of_memory(tokenizer):
    engine = engine_of("bert", tokenizer)
    forward = engine._runner._forward

    def narrow(texts):
        if sum(map(len, texts)) > 40:
            raise torch.OutOfMemoryError("no memory left")
        return forward(texts)

    engine._runner._forward = narrow
    texts = ["y" * 50, "y" * 30, "y" * 20, "x"]
    for number, text in enumerate(texts):
        engine.submit_embedding(str(number), text=text)
    outputs = drain(engine)

    assert outputs["0"][0].failure.code == "out_of_memory"
    found = [vector_of(outputs[name]) for name in "123"]
    assert_close(found, own_vectors("bert", tokenizer, texts[1:]))


def test_a_model_of_another_kind_is_refused():
    config = hf.T5Config(
        vocab_size=260, d_model=32, d_kv=8, d_ff=64, num_layers=1, num_heads=4,
        decoder_start_token_id=0,
    )  # fmt: skip
    model = hf.T5Model(config).eval()

    with pytest.raises(ModelLoadError, match="cannot be served by this engine"):
        choose_text_runner(model, EngineConfig(name="t5"), context_length=64)


def test_a_model_without_a_head_runs_in_one_process(tokenizer):
    with pytest.raises(ModelLoadError, match="one process"):
        LLMEngine(
            copy.deepcopy(random_encoder("bert")),
            tokenizer,
            channel=PlanChannel.__new__(PlanChannel),
        )
