"""An engine's life: short memory, poisoned requests, thousands of them, and what stays behind."""

import gc
import random
import tracemalloc

import pytest
import torch

from inference.exceptions import InvalidRequestError
from inference.generation import FinishReason, SamplingParams
from tests.support.engine_runs import (
    GREEDY,
    answer_together,
    before_forward,
    drain,
    naive_greedy,
    said,
    tokens_of,
)

PROMPTS = ["Hello!", "What is the capital of France? " * 4, "x", "Count to ten. " * 3]


def assert_nothing_is_left(engine):
    assert engine.stats().used_blocks == 0
    assert not engine._blocks._promised.any()
    assert not engine._blocks._users.any()
    assert not engine._desk._answers
    assert not engine._scheduler._running_of
    assert not engine._scheduler.waiting._classes
    assert not engine._scheduler.waiting._newcomers
    assert not engine.has_work()


@pytest.mark.parametrize("limit", [8, 20])
def test_a_step_too_large_for_memory_is_made_smaller_and_all_are_answered(
    make_engine, tiny_model, tokenizer, limit
):
    engine = make_engine(max_num_seqs=4)
    sizes = []

    def need_memory(tokens):
        sizes.append(len(tokens))
        if len(tokens) > limit:
            raise torch.OutOfMemoryError("no memory left")

    before_forward(engine, need_memory)
    together = answer_together(engine, PROMPTS)

    assert together == [naive_greedy(tiny_model, tokenizer, prompt) for prompt in PROMPTS]
    assert max(sizes) > limit
    # Having learnt, it does not try so much again and again.
    assert sum(size > limit for size in sizes) < len(sizes) / 2


@pytest.mark.parametrize(
    ("error", "code"),
    [(RuntimeError("bad kernel"), "model_error"), (torch.OutOfMemoryError(), "out_of_memory")],
)
def test_a_request_that_breaks_the_model_fails_alone(
    make_engine, tiny_model, tokenizer, error, code
):
    engine = make_engine()
    poison = tokenizer("Z")["input_ids"][0]

    def refuse_poison(tokens):
        if (tokens == poison).any():
            raise error

    before_forward(engine, refuse_poison)
    engine.submit("good", messages=said("Hello!"), params=GREEDY)
    engine.submit("bad", messages=said("Z"), params=GREEDY)
    outputs = drain(engine)
    again = answer_together(engine, ["Why?"])

    assert [output.failure and output.failure.code for output in outputs["bad"]] == [code]
    assert tokens_of(outputs["good"]) == naive_greedy(tiny_model, tokenizer, "Hello!")
    assert again == [naive_greedy(tiny_model, tokenizer, "Why?")]
    assert_nothing_is_left(engine)


def test_what_a_poisoned_request_wrote_reaches_nobody(make_engine, tiny_model, tokenizer):
    engine = make_engine(max_num_seqs=4, kv_cache_tokens=512, context_length=256)
    poison = tokenizer("Z")["input_ids"][0]
    engine._model.get_input_embeddings().weight.data[poison] = float("nan")
    prompt = "A long beginning that fills some blocks. " * 2

    # In the middle of the prompt, so that the first chunks look healthy.
    engine.submit("bad", messages=said(prompt + "Z" + prompt[:30]), params=GREEDY)
    engine.submit("good", messages=said("Hello!"), params=GREEDY)
    outputs = drain(engine)
    later = [answer_together(engine, [prompt])[0] for _ in range(3)]

    assert outputs["bad"][-1].failure.code == "invalid_logits"
    assert tokens_of(outputs["good"]) == naive_greedy(tiny_model, tokenizer, "Hello!")
    assert later == [naive_greedy(tiny_model, tokenizer, prompt)] * 3
    memories = [engine._runner._attention.cache.layer(number) for number in range(2)]
    assert all(tensor.isfinite().all() for pair in memories for tensor in pair)
    assert_nothing_is_left(engine)


def test_a_request_that_waits_too_long_is_told_so(make_engine):
    engine = make_engine(max_num_seqs=1, max_waiting_s=0.001)
    engine.submit("runs", messages=said("Hi"), params=GREEDY)
    engine.step()
    engine.submit("waits", messages=said("Hi"), params=GREEDY)

    outputs = drain(engine)

    assert outputs["runs"][-1].finish_reason is FinishReason.LENGTH
    assert [output.failure.code for output in outputs["waits"]] == ["timeout"]


@pytest.mark.parametrize(
    ("name", "value"), [("priority", 11), ("priority", 1.5), ("group", "g" * 201)]
)
def test_a_turn_nobody_can_have_is_refused(make_engine, name, value):
    with pytest.raises(InvalidRequestError) as refusal:
        make_engine().submit("a", messages=said("Hi"), **{name: value})

    assert refusal.value.param == name


def test_an_urgent_request_overtakes_those_that_wait(make_engine):
    engine = make_engine(max_num_seqs=1)
    for name, priority in (("first", 0), ("usual", 0), ("urgent", -3)):
        engine.submit(name, messages=said("Hi"), params=GREEDY, priority=priority)

    order = list(drain(engine))

    assert order == ["urgent", "first", "usual"]


class RandomLife:
    """Submits requests of all kinds to an engine and cancels some of them."""

    def __init__(self, engine, *, seed):
        self.engine = engine
        self.rng = random.Random(seed)
        self.submitted = 0
        self.ended = 0

    def run(self, count):
        """Go on until so many more requests have ended."""
        rng, engine = self.rng, self.engine
        last = self.submitted + count
        while self.submitted < last or engine.has_work():
            while self.submitted < last and rng.random() < 0.7:
                self.submit()
            if rng.random() < 0.3:
                engine.cancel(str(self.submitted - rng.randrange(20)))
            self.ended += sum(output.usage is not None for output in engine.step())

    def submit(self):
        rng = self.rng
        params = SamplingParams(
            temperature=1.0,
            seed=self.submitted,
            max_tokens=rng.randint(1, 12),
            n=rng.choice((1, 1, 1, 2, 3)),
        )
        text = rng.choice(("word ", "other ")) * rng.randint(0, 6)
        self.engine.submit(
            str(self.submitted),
            messages=said(text),
            params=params,
            priority=rng.randint(-2, 2),
            group=rng.choice("abc"),
        )
        self.submitted += 1


def test_requests_of_all_kinds_leave_nothing_behind(make_engine):
    engine = make_engine(max_num_seqs=8, max_waiting=1_000, kv_cache_tokens=256, context_length=128)
    life = RandomLife(engine, seed=0)

    life.run(300)

    assert life.ended == 300
    assert engine.stats().preemptions > 0
    assert_nothing_is_left(engine)


def test_ten_thousand_requests_leave_memory_as_it_was(make_engine):
    engine = make_engine(
        max_num_seqs=16, max_waiting=10_000, kv_cache_tokens=1_024, context_length=128
    )
    vocabulary = engine._model.config.vocab_size
    # The model is not what is looked at here: scores are drawn.
    engine._runner._forward = lambda tokens, positions, scored, step, images=None: torch.randn(
        len(scored), vocabulary
    )
    life = RandomLife(engine, seed=1)

    life.run(9_700)
    tracemalloc.start()
    life.run(300)
    gc.collect()
    ours = tracemalloc.take_snapshot().filter_traces([tracemalloc.Filter(True, "*/inference/*")])
    kept_bytes = sum(trace.size for trace in ours.traces)
    tracemalloc.stop()

    assert life.ended == 10_000
    assert kept_bytes < 100_000  # a forgotten sequence each would be several times that
    assert len(engine._blocks._block_of) <= engine._blocks.block_count
    assert_nothing_is_left(engine)
