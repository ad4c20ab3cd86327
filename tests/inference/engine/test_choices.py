"""Several answers to one request: they share the prompt, and best_of returns the likeliest."""

import copy

import pytest
import torch
import transformers as hf
from scipy.stats import chisquare

from inference.engine.config import EngineConfig
from inference.engine.llm_engine import LLMEngine
from inference.engine.plain.runner import PlainRunner
from inference.generation import FinishReason, SamplingParams
from tests.support.engine_runs import (
    drain,
    naive_greedy,
    prompt_ids,
    said,
    text_of,
    tokens_of,
)

PROMPT = "What is the capital of France?"
SAMPLED = {"temperature": 1.0, "max_tokens": 12, "ignore_eos": True, "seed": 11}


def ask(engine, request_id="a", prompt=PROMPT, **params):
    engine.submit(request_id, messages=said(prompt), params=SamplingParams(**params))
    return drain(engine)[request_id]


def by_choice(outputs):
    count = 1 + max(output.choice for output in outputs)
    return [[o for o in outputs if o.choice == choice] for choice in range(count)]


def mean_logprob(outputs):
    return sum(output.logprobs.logprob for output in outputs) / len(outputs)


@pytest.mark.parametrize("slots", [1, 3, 16])
def test_the_first_choice_is_the_answer_without_others_and_all_differ(make_engine, slots):
    alone = tokens_of(ask(make_engine(), **SAMPLED))

    choices = by_choice(ask(make_engine(max_num_seqs=slots), n=5, **SAMPLED))

    answers = [tuple(tokens_of(choice)) for choice in choices]
    assert list(answers[0]) == alone
    assert len(set(answers)) == 5
    assert [len(answer) for answer in answers] == [12] * 5


@pytest.mark.parametrize("settings", [{}, {"max_num_seqs": 2}, {"kv_cache_tokens": 160}])
@pytest.mark.parametrize("prompt", ["x" * 45, "x" * 48, "Hi"])
def test_greedy_choices_all_equal_what_generate_says(
    make_engine, tiny_model, tokenizer, settings, prompt
):
    engine = make_engine(context_length=128, **settings)

    outputs = ask(engine, prompt=prompt, temperature=0.0, n=4, max_tokens=20, ignore_eos=True)

    expected = naive_greedy(tiny_model, tokenizer, prompt, 20)
    assert [tokens_of(choice) for choice in by_choice(outputs)] == [expected] * 4
    assert engine.stats().used_blocks == 0


def test_choices_do_not_depend_on_who_shares_the_prompt(make_engine):
    crowded = by_choice(ask(make_engine(), n=4, **SAMPLED))
    queued = by_choice(ask(make_engine(max_num_seqs=1), n=4, **SAMPLED))

    assert [tokens_of(c) for c in crowded] == [tokens_of(c) for c in queued]


def test_the_prompt_is_read_once(make_engine, tokenizer):
    engine = make_engine()
    runner, read = engine._runner, []
    run = runner.run
    runner.run = lambda chunks: read.append(sum(chunk.count for chunk in chunks)) or run(chunks)

    ask(engine, n=8, **SAMPLED)

    assert read[0] == len(prompt_ids(tokenizer, PROMPT))
    assert read[1:] == [8] * 11


def test_the_last_output_counts_the_prompt_once_and_all_answers(make_engine, tokenizer):
    outputs = ask(make_engine(), n=3, **SAMPLED)

    usages = [output.usage for output in outputs if output.usage is not None]
    assert usages == [outputs[-1].usage]
    assert usages[0].prompt_tokens == len(prompt_ids(tokenizer, PROMPT))
    assert usages[0].completion_tokens == 36
    reasons = [o.choice for o in outputs if o.finish_reason is FinishReason.LENGTH]
    assert sorted(reasons) == [0, 1, 2]


def test_best_of_returns_the_likeliest_answers_best_first(make_engine):
    all_answers = by_choice(ask(make_engine(), n=6, logprobs=0, **SAMPLED))

    best = ask(make_engine(), n=2, best_of=6, **SAMPLED)

    ranked = sorted(all_answers, key=mean_logprob, reverse=True)
    assert [tokens_of(c) for c in by_choice(best)] == [tokens_of(c) for c in ranked[:2]]
    assert best[-1].usage.completion_tokens == 72
    assert all(output.logprobs is None for output in best)


def test_best_of_gives_nothing_before_all_answers_have_ended(make_engine):
    engine = make_engine()
    engine.submit("a", messages=said(PROMPT), params=SamplingParams(best_of=3, **SAMPLED))

    early = [engine.step() for _ in range(11)]
    last = engine.step()

    assert early == [[]] * 11
    assert len(last) == 12
    assert not engine.has_work()


@pytest.mark.parametrize("steps", [0, 1, 4])
@pytest.mark.parametrize("slots", [1, 8])
def test_cancelling_a_request_ends_all_its_choices_in_one_step(make_engine, steps, slots):
    engine = make_engine(max_num_seqs=slots)
    engine.submit("a", messages=said(PROMPT), params=SamplingParams(n=4, **SAMPLED))
    seen = sum(len(engine.step()) for _ in range(steps))

    engine.cancel("a")
    outputs = engine.step()

    assert [o.finish_reason for o in outputs] == [FinishReason.CANCELLED] * 4
    assert {o.choice for o in outputs} == {0, 1, 2, 3}
    assert outputs[-1].usage.completion_tokens == seen
    assert not engine.has_work()
    assert engine.stats().used_blocks == 0
    assert engine.load().waiting == 0


def test_a_prompt_that_breaks_the_model_fails_all_choices(make_engine, tokenizer):
    engine = make_engine()
    poison = tokenizer("Z")["input_ids"][0]
    engine._model.get_input_embeddings().weight.data[poison] = float("nan")

    outputs = ask(engine, prompt="Z", n=3, **SAMPLED)

    assert [output.failure.code for output in outputs] == ["invalid_logits"] * 3
    assert [output.usage for output in outputs[:-1]] == [None, None]
    assert not engine.has_work()


def test_choices_that_end_with_their_first_token_hold_nothing(make_engine):
    engine = make_engine()

    outputs = ask(engine, n=4, temperature=1.0, max_tokens=1, ignore_eos=True)

    assert sorted(output.choice for output in outputs) == [0, 1, 2, 3]
    assert engine.stats().used_blocks == 0
    assert not engine.has_work()


def test_stop_strings_end_each_choice_on_its_own(make_engine):
    free = by_choice(ask(make_engine(), n=2, **SAMPLED))
    stop = text_of(free[1])[4:6]

    stopped = by_choice(ask(make_engine(), n=2, stop=(stop,), **SAMPLED))

    assert text_of(stopped[1]) == text_of(free[1]).split(stop)[0]
    assert stopped[1][-1].finish_reason is FinishReason.STOP
    assert text_of(stopped[0]) == text_of(free[0]).split(stop)[0]


def test_a_model_that_runs_plainly_answers_several_ways_too(tokenizer):
    torch.manual_seed(0)
    model = hf.AutoModelForCausalLM.from_config(
        hf.BloomConfig(vocab_size=260, hidden_size=32, n_layer=2, n_head=4)
    ).eval()
    expected = naive_greedy(copy.deepcopy(model), tokenizer, PROMPT, 10)
    engine = LLMEngine(model, tokenizer, EngineConfig(context_length=256, threads=1))
    assert isinstance(engine._runner, PlainRunner)

    outputs = ask(engine, temperature=0.0, n=3, max_tokens=10, ignore_eos=True)

    assert [tokens_of(choice) for choice in by_choice(outputs)] == [expected] * 3
    assert engine._runner.held_sequences == 0


def test_the_choices_of_many_seeds_follow_the_models_distribution(
    make_engine, tiny_model, tokenizer
):
    engine = make_engine(max_waiting=1_000)
    for seed in range(150):
        params = SamplingParams(temperature=1.0, n=16, seed=seed, max_tokens=1, ignore_eos=True)
        engine.submit(str(seed), messages=said(PROMPT), params=params)

    tokens = [token for outputs in drain(engine).values() for token in tokens_of(outputs)]

    with torch.inference_mode():
        logits = tiny_model(torch.tensor([prompt_ids(tokenizer, PROMPT)])).logits[0, -1]
    expected = logits.double().softmax(-1) * len(tokens)
    seen = torch.bincount(torch.tensor(tokens), minlength=len(expected)).double()
    likely = expected >= 5
    observed = [*seen[likely].tolist(), seen[~likely].sum().item()]
    predicted = [*expected[likely].tolist(), expected[~likely].sum().item()]
    assert len(tokens) == 2_400
    assert chisquare(observed, predicted).pvalue > 0.001
    tilted = [value**1.2 for value in predicted]
    scale = len(tokens) / sum(tilted)
    assert chisquare(observed, [value * scale for value in tilted]).pvalue < 0.001
