"""Prompts as texts and tokens, what of them comes back, and what is cut to fit."""

import pytest
import torch

from inference.exceptions import ContextLengthExceededError, InvalidRequestError
from inference.generation import SamplingParams
from tests.support.engine_runs import GREEDY, drain, said, text_of, tokens_of

TEXT = "Once upon a time there was a sea."


def continuation(model, ids, count):
    ids = torch.tensor([ids])
    with torch.inference_mode():
        output = model.generate(
            ids,
            attention_mask=torch.ones_like(ids),
            max_new_tokens=count,
            do_sample=False,
            eos_token_id=None,
            pad_token_id=0,
        )
    return output[0, ids.shape[1] :].tolist()


def ask(engine, params=GREEDY, **prompt):
    engine.submit("a", params=params, **prompt)
    return drain(engine)["a"]


@pytest.mark.parametrize("form", ["prompt", "prompt_token_ids"])
def test_a_raw_text_is_continued_as_generate_continues_it(make_engine, tiny_model, tokenizer, form):
    ids = tokenizer(TEXT)["input_ids"]
    prompt = {"prompt": TEXT} if form == "prompt" else {"prompt_token_ids": ids}

    outputs = ask(make_engine(), **prompt)

    assert tokens_of(outputs) == continuation(tiny_model, ids, GREEDY.max_tokens)
    assert outputs[-1].usage.prompt_tokens == len(ids)


@pytest.mark.parametrize(
    ("prompt", "param"),
    [
        ({}, "prompt"),
        ({"prompt": "a", "prompt_token_ids": [5]}, "prompt"),
        ({"prompt": ""}, "prompt"),
        ({"prompt": 5}, "prompt"),
        ({"prompt_token_ids": []}, "prompt_token_ids"),
        ({"prompt_token_ids": [5, 260]}, "prompt_token_ids"),
        ({"prompt_token_ids": [5, -1]}, "prompt_token_ids"),
        ({"prompt_token_ids": [5, 1.5]}, "prompt_token_ids"),
    ],
)
def test_a_prompt_nobody_can_read_is_refused_by_name(make_engine, prompt, param):
    engine = make_engine()

    with pytest.raises(InvalidRequestError) as caught:
        engine.submit("a", **prompt)

    assert caught.value.param == param
    assert not engine.has_work()


@pytest.mark.parametrize("form", ["prompt", "prompt_token_ids"])
@pytest.mark.parametrize("n", [1, 3])
def test_echo_puts_the_prompt_in_front_of_every_answer(make_engine, tokenizer, form, n):
    prompt = {form: TEXT if form == "prompt" else tokenizer(TEXT)["input_ids"]}
    params = SamplingParams(temperature=0.0, max_tokens=6, ignore_eos=True, n=n)
    plain = text_of([o for o in ask(make_engine(), params, **prompt) if o.choice == 0])

    params = SamplingParams(temperature=0.0, max_tokens=6, ignore_eos=True, n=n, echo=True)
    outputs = ask(make_engine(), params, **prompt)

    for choice in range(n):
        assert text_of([o for o in outputs if o.choice == choice]) == TEXT + plain


def test_a_stop_string_in_the_echoed_prompt_ends_nothing(make_engine):
    params = SamplingParams(temperature=0, max_tokens=6, ignore_eos=True, echo=True, stop=("sea",))

    assert text_of(ask(make_engine(), params, prompt=TEXT)).startswith(TEXT)


def test_a_conversation_is_not_echoed(make_engine):
    with pytest.raises(InvalidRequestError, match="echoed"):
        make_engine().submit("a", messages=said("Hi"), params=SamplingParams(echo=True))


def test_a_grammar_that_cannot_be_compiled_is_refused(make_engine):
    params = SamplingParams(grammar={"type": "poem"})

    with pytest.raises(InvalidRequestError, match="poem"):
        make_engine().submit("a", messages=said("Hi"), params=params)


@pytest.mark.parametrize(("max_tokens", "kept"), [(20, 43), (None, 31), (500, 1)])
def test_a_long_prompt_is_cut_on_the_left_as_fastchat_cuts_it(
    make_engine, tiny_model, tokenizer, max_tokens, kept
):
    ids = tokenizer("0123456789" * 20)["input_ids"]
    params = SamplingParams(
        temperature=0.0, max_tokens=max_tokens, ignore_eos=True, truncate_prompt="left"
    )

    outputs = ask(make_engine(context_length=64), params, prompt_token_ids=ids)

    answer = tokens_of(outputs)
    assert outputs[-1].usage.prompt_tokens == kept
    assert len(answer) == (20 if max_tokens == 20 else 64 - kept)
    assert answer == continuation(tiny_model, ids[-kept:], len(answer))


def test_a_prompt_that_fits_is_not_cut(make_engine):
    params = SamplingParams(temperature=0, max_tokens=5, truncate_prompt="left", ignore_eos=True)

    outputs = ask(make_engine(context_length=64), params, prompt=TEXT)

    assert outputs[-1].usage.prompt_tokens == len(TEXT)


def test_a_long_prompt_is_refused_where_nobody_allowed_to_cut_it(make_engine):
    with pytest.raises(ContextLengthExceededError):
        make_engine(context_length=64).submit("a", prompt="x" * 64)


def reference_logprobs(model, ids):
    with torch.inference_mode():
        return model(torch.tensor([ids])).logits[0].double().log_softmax(-1)


@pytest.mark.parametrize("chunk", [8, 256])
def test_log_probabilities_of_answer_and_prompt_are_the_models_own(
    make_engine, tiny_model, tokenizer, chunk
):
    ids = tokenizer(TEXT)["input_ids"]
    params = SamplingParams(
        temperature=0.7,
        seed=1,
        max_tokens=8,
        ignore_eos=True,
        logprobs=3,
        prompt_logprobs=2,
        repetition_penalty=1.3,
    )
    engine = make_engine(max_batched_tokens=chunk, max_num_seqs=4)
    ask(engine, prompt=TEXT)  # what the cache knows must not hide the prompt's scores

    outputs = ask(engine, params, prompt=TEXT)

    whole = ids + tokens_of(outputs)
    expected = reference_logprobs(tiny_model, whole)
    told = [*outputs[0].prompt_logprobs, *(output.logprobs for output in outputs)]
    assert told[0] is None
    assert [one.token for one in told[1:]] == whole[1:]
    for place, one in enumerate(told[1:]):
        assert one.logprob == pytest.approx(expected[place, one.token].item(), abs=1e-4)
        best = expected[place].topk(len(one.top))
        assert [token for token, _ in one.top] == best.indices.tolist()
    assert {len(one.top) for one in outputs[0].prompt_logprobs[1:]} == {2}
    assert {len(output.logprobs.top) for output in outputs} == {3}
    assert all(output.prompt_logprobs is None for output in outputs[1:])
    assert outputs[-1].usage.cached_tokens == 0


def test_prompt_log_probabilities_survive_a_preemption(make_engine, tiny_model, tokenizer):
    # Some lose their blocks in the middle of their prompts, others after them.
    engine = make_engine(
        context_length=256, kv_cache_tokens=288, prefix_cache=False, max_batched_tokens=32
    )
    params = SamplingParams(temperature=0, max_tokens=60, ignore_eos=True, prompt_logprobs=0)
    prompts = [letter * 40 for letter in "abcdefghijkl"]
    for prompt in prompts:
        engine.submit(prompt[0], prompt=prompt, params=params)

    outputs = drain(engine)

    assert engine.stats().preemptions > 0
    for prompt in prompts:
        ids = tokenizer(prompt)["input_ids"]
        expected = reference_logprobs(tiny_model, ids)
        told = outputs[prompt[0]][0].prompt_logprobs[1:]
        assert [one.token for one in told] == ids[1:]
        for place, one in enumerate(told):
            assert one.logprob == pytest.approx(expected[place, one.token].item(), abs=1e-4)


def test_nobody_gets_log_probabilities_unasked(make_engine):
    outputs = ask(make_engine(), prompt=TEXT)

    assert all(output.logprobs is output.prompt_logprobs is None for output in outputs)


def test_echo_and_prompt_log_probabilities_come_together_on_every_choice(make_engine):
    params = SamplingParams(
        temperature=1.0, max_tokens=3, n=2, ignore_eos=True, echo=True, prompt_logprobs=0
    )

    outputs = ask(make_engine(), params, prompt=TEXT)

    for choice in range(2):
        first, *others = [output for output in outputs if output.choice == choice]
        assert first.piece.startswith(TEXT)
        assert len(first.prompt_logprobs) == len(TEXT)
        assert all(output.prompt_logprobs is None for output in others)
