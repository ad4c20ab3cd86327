import threading

import pytest

from inference.exceptions import (
    ContextLengthExceededError,
    InvalidRequestError,
    QueueFullError,
)
from inference.generation import FinishReason, SamplingParams
from inference.messages import Message, Role
from tests.support.engine_runs import (
    GREEDY,
    answer_together,
    drain,
    naive_greedy,
    prompt_ids,
    said,
    text_of,
    tokens_of,
)

PROMPTS = [
    "Hello!",
    "What is the capital of France? " * 5,
    "x",
    "你好，世界",
    "Count to ten. ",
    "A list of colours: red, green, blue, and so on. " * 2,
    "Why?",
    "Tell me about the sea.",
]


@pytest.mark.parametrize("batch", [1, 3, 8])
def test_batching_does_not_change_greedy_output(make_engine, tiny_model, tokenizer, batch):
    together = answer_together(make_engine(max_num_seqs=batch), PROMPTS)

    alone = [naive_greedy(tiny_model, tokenizer, prompt) for prompt in PROMPTS]
    assert together == alone


@pytest.mark.parametrize("chunk", [8, 23])
def test_reading_prompts_in_chunks_does_not_change_greedy_output(
    make_engine, tiny_model, tokenizer, chunk
):
    together = answer_together(make_engine(max_batched_tokens=chunk, max_num_seqs=8), PROMPTS)

    alone = [naive_greedy(tiny_model, tokenizer, prompt) for prompt in PROMPTS]
    assert together == alone


def test_a_request_that_joins_midway_changes_nobodys_answer(make_engine, tiny_model, tokenizer):
    engine = make_engine()
    outputs = {}

    for number, prompt in enumerate(PROMPTS):
        engine.submit(str(number), messages=said(prompt), params=GREEDY)
        for output in engine.step() + engine.step():
            outputs.setdefault(output.request_id, []).append(output)
    for request_id, rest in drain(engine).items():
        outputs.setdefault(request_id, []).extend(rest)

    for number, prompt in enumerate(PROMPTS):
        assert tokens_of(outputs[str(number)]) == naive_greedy(tiny_model, tokenizer, prompt)


def test_running_out_of_blocks_preempts_and_changes_no_answer(make_engine, tiny_model, tokenizer):
    # Room for about two of the eight sequences at their full length.
    engine = make_engine(context_length=256, kv_cache_tokens=288, prefix_cache=False)
    params = SamplingParams(temperature=0.0, max_tokens=60, ignore_eos=True)

    together = answer_together(engine, PROMPTS, params)

    assert engine.stats().preemptions > 0
    assert together == [naive_greedy(tiny_model, tokenizer, prompt, 60) for prompt in PROMPTS]
    assert engine.stats().used_blocks == 0


def test_one_piece_comes_for_every_generated_token(make_engine, tokenizer):
    engine = make_engine()
    engine.submit("a", messages=said("Hello!"), params=GREEDY)

    outputs = drain(engine)["a"]

    assert len(outputs) == outputs[-1].usage.completion_tokens == GREEDY.max_tokens
    assert [output.finish_reason for output in outputs[:-1]] == [None] * (len(outputs) - 1)
    assert outputs[-1].finish_reason is FinishReason.LENGTH
    assert text_of(outputs) == tokenizer.decode(tokens_of(outputs), skip_special_tokens=True)


def test_usage_counts_prompt_answer_and_what_the_cache_knew(make_engine, tokenizer):
    engine = make_engine()

    first = answer_usage(engine, "a", said("What is the capital of France?"))
    second = answer_usage(engine, "b", said("What is the capital of France?"))

    expected = len(prompt_ids(tokenizer, "What is the capital of France?"))
    assert (first.prompt_tokens, first.cached_tokens) == (expected, 0)
    assert second.prompt_tokens == expected
    assert second.cached_tokens == (expected - 1) // 16 * 16


def test_the_next_turn_of_a_conversation_reads_only_what_is_new(make_engine):
    engine = make_engine()
    first_turn = said("Tell me about the sea, and the sky, and everything between them.")
    engine.submit("a", messages=first_turn, params=GREEDY)
    reply = text_of(drain(engine)["a"])

    turns = [*first_turn, Message(Role.ASSISTANT, reply), Message(Role.USER, "More, please.")]
    usage = answer_usage(engine, "b", turns)

    assert usage.cached_tokens >= 64


def test_a_warm_prefix_gives_the_same_answer_as_a_cold_one(make_engine):
    engine = make_engine()

    cold = answer_together(engine, ["What is the capital of France?"])
    warm = answer_together(engine, ["What is the capital of France?"])

    assert engine.stats().cached_tokens > 0
    assert warm == cold


def test_an_end_token_ends_the_answer_and_shows_nothing(make_engine, tiny_model, tokenizer):
    engine = make_engine()
    ending = naive_greedy(tiny_model, tokenizer, "Hello!")[5]
    first = naive_greedy(tiny_model, tokenizer, "Hello!").index(ending)
    params = SamplingParams(temperature=0.0, stop_token_ids=(ending,))

    engine.submit("a", messages=said("Hello!"), params=params)
    outputs = drain(engine)["a"]

    assert outputs[-1].finish_reason is FinishReason.STOP
    assert outputs[-1].usage.completion_tokens == first + 1
    assert tokens_of(outputs)[-1] == ending
    assert text_of(outputs) == tokenizer.decode(tokens_of(outputs)[:-1])


def test_a_stop_string_ends_the_answer_before_it(make_engine):
    engine = make_engine()
    whole = text_of_greedy(engine, "Hello!", SamplingParams(temperature=0.0, max_tokens=24))
    middle = whole[8:11]

    engine.submit(
        "a",
        messages=said("Hello!"),
        params=SamplingParams(temperature=0.0, max_tokens=24, stop=(middle,)),
    )
    outputs = drain(engine)["a"]

    assert outputs[-1].finish_reason is FinishReason.STOP
    assert text_of(outputs) == whole[: whole.index(middle)]


def test_without_a_limit_the_answer_fills_the_window(make_engine):
    engine = make_engine(context_length=64)
    engine.submit("a", messages=said("Hi"), params=SamplingParams(temperature=0, ignore_eos=True))

    last = drain(engine)["a"][-1]

    assert last.finish_reason is FinishReason.LENGTH
    assert last.usage.total_tokens == 64


def test_a_prompt_that_fills_the_window_is_refused(make_engine):
    engine = make_engine(context_length=64)

    with pytest.raises(ContextLengthExceededError, match="the model takes 63"):
        engine.submit("a", messages=said("long " * 20))

    assert not engine.has_work()


@pytest.mark.parametrize(
    ("messages", "params"),
    [
        ([], SamplingParams()),
        (said("Hi"), SamplingParams(max_tokens=0)),
        (said("Hi"), SamplingParams(top_p=0.0)),
        (said("Hi"), SamplingParams(stop=("",))),
        (said("Hi"), SamplingParams(stop_token_ids=(99_999,))),
        ([Message(Role.ASSISTANT, "I begin")], SamplingParams()),
    ],
)
def test_a_request_that_cannot_be_followed_is_refused(make_engine, messages, params):
    with pytest.raises(InvalidRequestError):
        make_engine().submit("a", messages=messages, params=params)


def test_a_request_id_cannot_be_used_twice_at_once(make_engine):
    engine = make_engine()
    engine.submit("a", messages=said("Hi"))

    with pytest.raises(InvalidRequestError, match="being answered"):
        engine.submit("a", messages=said("Hi"))


def test_more_than_the_engine_lets_wait_is_refused(make_engine):
    engine = make_engine(max_num_seqs=1, max_waiting=2)
    for request_id in "ab":
        engine.submit(request_id, messages=said("Hi"))

    with pytest.raises(QueueFullError, match="tiny"):
        engine.submit("c", messages=said("Hi"))


def test_load_tells_who_runs_and_who_waits(make_engine):
    engine = make_engine(max_num_seqs=2)
    for request_id in "abc":
        engine.submit(request_id, messages=said("Hi"), params=GREEDY)

    engine.step()

    load = engine.load()
    assert (load.running, load.waiting, load.slots) == (2, 1, 2)


@pytest.mark.parametrize("steps", [0, 1, 5])
def test_a_cancelled_request_ends_with_the_next_step(make_engine, steps):
    engine = make_engine()
    engine.submit("a", messages=said("Hello!"), params=GREEDY)
    seen = [output for _ in range(steps) for output in engine.step()]

    engine.cancel("a")
    outputs = engine.step()

    assert [output.finish_reason for output in outputs] == [FinishReason.CANCELLED]
    assert outputs[0].usage.completion_tokens == len(seen)
    assert not engine.has_work()
    assert engine.stats().used_blocks == 0


def test_cancelling_one_request_leaves_the_others_alone(make_engine, tiny_model, tokenizer):
    engine = make_engine()
    for number, prompt in enumerate(PROMPTS[:3]):
        engine.submit(str(number), messages=said(prompt), params=GREEDY)
    started = [output for _ in range(4) for output in engine.step()]

    engine.cancel("1")
    engine.cancel("nobody")
    rest = drain(engine)

    kept = [output for output in started if output.request_id == "2"] + rest["2"]
    assert tokens_of(kept) == naive_greedy(tiny_model, tokenizer, PROMPTS[2])


def test_scores_that_are_not_numbers_fail_that_request_alone(make_engine, tiny_model, tokenizer):
    engine = make_engine()
    poison = tokenizer("Z")["input_ids"][0]
    engine._model.get_input_embeddings().weight.data[poison] = float("nan")

    engine.submit("bad", messages=said("Z"), params=GREEDY)
    engine.submit("good", messages=said("Hello!"), params=GREEDY)
    outputs = drain(engine)

    assert outputs["bad"][-1].finish_reason is FinishReason.ERROR
    assert outputs["bad"][-1].failure.code == "invalid_logits"
    assert tokens_of(outputs["good"]) == naive_greedy(tiny_model, tokenizer, "Hello!")


def test_a_seed_repeats_an_answer_whatever_else_runs(make_engine):
    engine = make_engine()
    params = SamplingParams(temperature=1.0, top_p=0.95, seed=7, max_tokens=16, ignore_eos=True)

    alone = answer_together(engine, ["Hello!"], params)
    crowded = answer_together(engine, ["Hello!", *PROMPTS[1:]], params)
    other = answer_together(
        engine, ["Hello!"], SamplingParams(temperature=1.0, seed=8, max_tokens=16, ignore_eos=True)
    )

    assert crowded[0] == alone[0]
    assert other[0] != alone[0]


def test_requests_arrive_from_many_threads_while_the_engine_steps(
    make_engine, tiny_model, tokenizer
):
    engine = make_engine(max_num_seqs=4)
    outputs = {}

    def submit(number):
        engine.submit(str(number), messages=said(PROMPTS[number % 8]), params=GREEDY)

    threads = [threading.Thread(target=submit, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    while len(outputs) < 16 or engine.has_work():
        assert engine.wait_for_work(timeout=30)
        for output in engine.step():
            outputs.setdefault(output.request_id, []).append(output)
        if all(not thread.is_alive() for thread in threads) and not engine.has_work():
            break
    for thread in threads:
        thread.join()

    expected = [naive_greedy(tiny_model, tokenizer, prompt) for prompt in PROMPTS]
    assert [tokens_of(outputs[str(number)]) for number in range(16)] == expected * 2


def test_waiting_for_work_ends_without_work_at_its_time(make_engine):
    assert make_engine().wait_for_work(timeout=0.01) is False


def answer_usage(engine, request_id, messages):
    engine.submit(request_id, messages=messages, params=GREEDY)
    return drain(engine)[request_id][-1].usage


def text_of_greedy(engine, prompt, params):
    engine.submit("greedy", messages=said(prompt), params=params)
    return text_of(drain(engine)["greedy"])
