import copy

import pytest
import torch

from inference.engine.config import EngineConfig
from inference.engine.llm_engine import LLMEngine
from inference.engine.model_runner import PackedRunner
from inference.engine.plain.runner import PlainRunner
from inference.exceptions import (
    ContextLengthExceededError,
    InvalidRequestError,
    QueueFullError,
)
from inference.generation import FinishReason, SamplingParams
from tests.support.architectures import model_of
from tests.support.engine_runs import (
    GREEDY,
    drain,
    naive_greedy,
    prompt_ids,
    said,
    tokens_of,
)
from tests.support.text_models import embed, own_vector, vector_of

TEXTS = [
    "Hello!",
    "What is the capital of France? " * 5,
    "x",
    "你好，世界",
    "A list of colours: red, green, blue, and so on. " * 2,
    "Tell me about the sea.",
]
CROWD = [f"text {number}: {'words ' * number}" for number in range(20)]


def own_vectors(model, tokenizer, texts, **options):
    return [own_vector(model, tokenizer(text)["input_ids"], **options) for text in texts]


def assert_close(found, expected, *, within=1e-5):
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        assert float((one - other).abs().max()) <= within


def steps_of(engine, count):
    outputs = {}
    for _ in range(count):
        for output in engine.step():
            outputs.setdefault(output.request_id, []).append(output)
    return outputs


class Narrow:
    """A decoder on a device that holds only so many tokens at once."""

    def __init__(self, forward, most_tokens):
        self._forward = forward
        self._most_tokens = most_tokens
        self.refusals = 0

    def __call__(self, tokens, *rest):
        self._check(tokens)
        return self._forward(tokens, *rest)

    def with_states(self, tokens, *rest):
        self._check(tokens)
        return self._forward.with_states(tokens, *rest)

    def _check(self, tokens):
        if len(tokens) > self._most_tokens:
            self.refusals += 1
            raise torch.OutOfMemoryError("no memory left")


@pytest.mark.parametrize("pooling", ["mean", "cls", "last"])
@pytest.mark.parametrize("chunk", [8, 23, 256])
def test_a_text_becomes_the_vector_the_model_alone_gives(
    make_engine, tiny_model, tokenizer, pooling, chunk
):
    engine = make_engine(max_batched_tokens=chunk, max_num_seqs=8)

    found = embed(engine, TEXTS, pooling=pooling)

    assert_close(found, own_vectors(tiny_model, tokenizer, TEXTS, pooling=pooling))
    assert engine.stats().used_blocks == 0


@pytest.mark.parametrize(
    ("name", "runner"),
    [
        ("qwen3", PackedRunner),
        ("gemma2", PackedRunner),
        ("gpt_neox", PackedRunner),
        ("falcon", PlainRunner),
        ("gpt_oss", PackedRunner),
        ("mamba", PlainRunner),
    ],
)
def test_every_way_of_computing_gives_vectors_and_answers(name, runner, tokenizer):
    model = model_of(name)
    own = own_vectors(copy.deepcopy(model), tokenizer, TEXTS)
    answer = naive_greedy(copy.deepcopy(model), tokenizer, "Hello!")
    settings = EngineConfig(max_num_seqs=8, max_batched_tokens=16, context_length=256, threads=1)
    engine = LLMEngine(model, tokenizer, settings)
    assert isinstance(engine._runner, runner)

    engine.submit("chat", messages=said("Hello!"), params=GREEDY)
    for number, text in enumerate(TEXTS):
        engine.submit_embedding(str(number), text=text)
    outputs = drain(engine)

    assert tokens_of(outputs["chat"]) == answer
    assert_close([vector_of(outputs[str(number)]) for number in range(len(TEXTS))], own)


def test_company_does_not_change_a_vector(make_engine):
    engine = make_engine(max_num_seqs=32, max_batched_tokens=64)

    (alone,) = embed(engine, ["Tell me about the sea."])
    crowded = embed(engine, ["Tell me about the sea.", *CROWD])[0]

    assert_close([crowded], [alone], within=1e-6)


def test_answers_and_vectors_come_out_of_the_same_steps(make_engine, tiny_model, tokenizer):
    engine = make_engine(max_num_seqs=8, max_batched_tokens=32)
    engine.submit("chat", messages=said("Hello!"), params=GREEDY)
    started = steps_of(engine, 5)

    for number, text in enumerate(TEXTS):
        engine.submit_embedding(str(number), text=text)
    first = engine.step()
    outputs = drain(engine)

    assert {output.request_id for output in first} > {"chat"}
    answer = started["chat"] + [one for one in first if one.request_id == "chat"] + outputs["chat"]
    assert tokens_of(answer) == naive_greedy(tiny_model, tokenizer, "Hello!")
    found = {one.request_id: [one] for one in first if one.request_id != "chat"} | outputs
    vectors = [vector_of(found[str(number)]) for number in range(len(TEXTS))]
    assert_close(vectors, own_vectors(tiny_model, tokenizer, TEXTS))


def test_guessing_ahead_leaves_texts_alone(make_engine, tiny_model, tokenizer):
    engine = make_engine(speculation="prompt_lookup")
    engine.submit("chat", messages=said("Hello!"), params=GREEDY)

    vectors = embed(engine, ["x", "yyyyyyyy"])

    assert_close(vectors, own_vectors(tiny_model, tokenizer, ["x", "yyyyyyyy"]))


def test_a_text_that_gave_its_blocks_back_is_read_again(make_engine, tiny_model, tokenizer):
    # The text is read slowly, and beside it a more urgent answer grows until no block is left.
    engine = make_engine(max_num_seqs=2, max_batched_tokens=4, kv_cache_tokens=176)
    params = SamplingParams(temperature=0.0, max_tokens=100, ignore_eos=True)
    long = "Tell me about the sea. " * 5

    engine.submit_embedding("text", text=long)
    steps_of(engine, 3)
    engine.submit("chat", messages=said("Hello!"), params=params, priority=-1)
    outputs = drain(engine)

    assert engine.stats().preemptions > 0
    assert tokens_of(outputs["chat"]) == naive_greedy(tiny_model, tokenizer, "Hello!", 100)
    assert_close([vector_of(outputs["text"])], own_vectors(tiny_model, tokenizer, [long]))


@pytest.mark.parametrize("pooling", ["mean", "cls", "last"])
def test_a_step_too_large_for_memory_changes_no_vector(make_engine, tiny_model, tokenizer, pooling):
    engine = make_engine(max_num_seqs=8)
    narrow = engine._runner._forward = Narrow(engine._runner._forward, most_tokens=20)

    found = embed(engine, TEXTS, pooling=pooling)

    assert narrow.refusals > 0
    assert_close(found, own_vectors(tiny_model, tokenizer, TEXTS, pooling=pooling))


def test_a_text_no_memory_is_left_for_fails_alone(make_engine, tiny_model, tokenizer):
    engine = make_engine()
    engine._runner._forward = Narrow(engine._runner._forward, most_tokens=0)

    engine.submit_embedding("a", text="Hello!")
    (output,) = drain(engine)["a"]

    assert output.finish_reason is FinishReason.ERROR
    assert output.failure.code == "out_of_memory"
    assert output.embedding is None


def test_a_vector_that_is_no_number_fails_that_text_alone(make_engine, tiny_model, tokenizer):
    engine = make_engine()
    poison = tokenizer("Z")["input_ids"][0]
    engine._model.get_input_embeddings().weight.data[poison] = float("nan")

    engine.submit_embedding("bad", text="Z" * 40)
    engine.submit_embedding("good", text="Hello!")
    outputs = drain(engine)

    assert outputs["bad"][0].failure.code == "invalid_embedding"
    assert outputs["bad"][0].embedding is None
    assert_close([vector_of(outputs["good"])], own_vectors(tiny_model, tokenizer, ["Hello!"]))
    assert engine.stats().failed == 1


def test_usage_counts_the_text_and_nothing_else(make_engine, tokenizer):
    engine = make_engine()

    engine.submit_embedding("a", text="Hello!")
    (output,) = drain(engine)["a"]

    assert output.finish_reason is FinishReason.STOP
    assert (output.piece, output.token) == ("", None)
    assert output.usage.prompt_tokens == output.usage.total_tokens == 6
    assert output.usage.completion_tokens == output.usage.cached_tokens == 0
    assert (engine.stats().finished, engine.stats().prompt_tokens) == (1, 6)


def test_a_vector_has_length_one_unless_somebody_wants_it_raw(make_engine, tiny_model, tokenizer):
    engine = make_engine()

    (normalised,) = embed(engine, ["Hello!"])
    (raw,) = embed(engine, ["Hello!"], normalize=False)

    assert float(normalised.norm()) == pytest.approx(1.0, abs=1e-5)
    assert float(raw.norm()) != pytest.approx(1.0, abs=0.1)
    assert_close([raw / raw.norm()], [normalised])


def test_tokens_give_the_vector_of_their_text(make_engine, tokenizer):
    engine = make_engine()
    (expected,) = embed(engine, ["Hello!"])

    engine.submit_embedding("a", token_ids=tokenizer("Hello!")["input_ids"])

    assert_close([vector_of(drain(engine)["a"])], [expected], within=1e-6)


def test_a_text_computes_all_its_tokens_and_leaves_them_to_others(
    make_engine, tiny_model, tokenizer
):
    engine = make_engine()
    prompt = "What is the capital of France?"
    tokens = prompt_ids(tokenizer, prompt)

    engine.submit_embedding("first", token_ids=tokens)
    engine.submit_embedding("second", token_ids=tokens)
    outputs = drain(engine)
    engine.submit("chat", messages=said(prompt), params=GREEDY)
    answer = drain(engine)["chat"]

    expected = own_vector(tiny_model, tokens)
    assert_close([vector_of(outputs["first"]), vector_of(outputs["second"])], [expected] * 2)
    assert answer[-1].usage.cached_tokens == (len(tokens) - 1) // 16 * 16 > 0
    assert tokens_of(answer) == naive_greedy(tiny_model, tokenizer, prompt)


def test_a_text_may_fill_the_whole_window(make_engine, tiny_model, tokenizer):
    engine = make_engine(context_length=64, kv_cache_tokens=64)
    text = "y" * 64

    (found,) = embed(engine, [text])

    assert_close([found], own_vectors(tiny_model, tokenizer, [text]))


def test_a_text_longer_than_the_window_is_refused_or_cut(make_engine, tiny_model, tokenizer):
    engine = make_engine(context_length=64)

    with pytest.raises(ContextLengthExceededError, match="65 tokens, the model takes 64"):
        engine.submit_embedding("a", text="y" * 65)
    (cut,) = embed(engine, ["y" * 65], truncate=True)

    assert_close([cut], own_vectors(tiny_model, tokenizer, ["y" * 64]))


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({}, "either a text or its token ids"),
        ({"text": "a", "token_ids": [5]}, "either a text or its token ids"),
        ({"text": ""}, "empty"),
        ({"text": 5}, "must be a text"),
        ({"token_ids": []}, "no tokens"),
        ({"token_ids": [260]}, "a token the model lacks"),
        ({"token_ids": [-1]}, "a token the model lacks"),
        ({"token_ids": ["a"]}, "whole numbers"),
        ({"text": "a", "pooling": "max"}, "mean, cls, last"),
        ({"text": "a", "priority": 11}, "priority"),
    ],
)
def test_a_text_that_cannot_be_pooled_is_refused(make_engine, asked, words):
    engine = make_engine()

    with pytest.raises(InvalidRequestError, match=words):
        engine.submit_embedding("a", **asked)

    assert not engine.has_work()


def test_texts_wait_in_the_line_of_all_requests(make_engine):
    engine = make_engine(max_num_seqs=1, max_waiting=2)
    engine.submit("chat", messages=said("Hi"), params=GREEDY)
    engine.submit_embedding("text", text="Hi")

    with pytest.raises(QueueFullError, match="tiny"):
        engine.submit_embedding("more", text="Hi")
    with pytest.raises(InvalidRequestError, match="being answered"):
        engine.submit_embedding("chat", text="Hi")


def test_an_urgent_text_goes_first(make_engine):
    engine = make_engine(max_num_seqs=1)
    engine.submit_embedding("patient", text="Hi")
    engine.submit_embedding("urgent", text="Hi", priority=-1)

    assert list(drain(engine)) == ["urgent", "patient"]


@pytest.mark.parametrize("steps", [0, 2])
def test_a_cancelled_text_ends_with_the_next_step(make_engine, steps):
    engine = make_engine(max_batched_tokens=16, max_num_seqs=4)
    engine.submit_embedding("a", text="y" * 100)
    assert steps_of(engine, steps) == {}

    engine.cancel("a")
    (output,) = engine.step()

    assert output.finish_reason is FinishReason.CANCELLED
    assert output.embedding is None
    assert output.usage.prompt_tokens == 100
    assert not engine.has_work()
    assert engine.stats().used_blocks == 0


def test_texts_that_share_more_are_nearer(make_engine):
    sea, sea_too, other = embed(
        make_engine(),
        ["the sea is wide and blue", "the sea is wide and grey", "9 x 7 = 63; 8 x 8 = 64"],
    )

    assert float(sea @ sea_too) > float(sea @ other)
