import random

import pytest

from inference.engine.answer import Answer
from inference.engine.detokenizer import Detokenizer
from inference.engine.sampler import Sampled
from inference.engine.sampling_state import SamplingState
from inference.engine.sentences import Sentences
from inference.engine.sequence import Sequence
from inference.engine.stopping import StopStrings
from inference.generation import FinishReason, SamplingParams
from tests.support.engine_runs import drain, said, text_of, tokens_of

END = 0  # a byte no text has


def answer_of(*, max_tokens=100, stop=(), **params):
    params = SamplingParams(**params)
    return Answer(
        Sequence("a", [7], prompt_tokens=1, max_tokens=max_tokens),
        SamplingState(params, random.Random(0)),
        frozenset([END]),
        Detokenizer(lambda tokens: bytes(tokens).decode(errors="replace")),
        StopStrings(stop),
        Sentences() if params.judge_sent_end else None,
    )


def write(answer, text):
    """Feed a text byte by byte until the answer ends; return its outputs."""
    outputs = []
    for token in text.encode():
        outputs.append(answer.take(Sampled(token)))
        if outputs[-1].finish_reason is not None:
            break
    return outputs


@pytest.mark.parametrize(
    ("options", "text", "shown", "reason", "count"),
    [
        ({}, "Hello\0", "Hello", FinishReason.STOP, 6),
        ({"max_tokens": 3}, "Hello", "Hel", FinishReason.LENGTH, 3),
        ({"stop": ("lo",)}, "Hello there", "Hel", FinishReason.STOP, 5),
        ({"stop": ("lo t", "l")}, "Hello there", "He", FinishReason.STOP, 3),
        ({"stop": ("lo",), "max_tokens": 4}, "Hello", "Hell", FinishReason.LENGTH, 4),
        ({"stop": ("\ufffd",), "max_tokens": 1}, "é", "", FinishReason.STOP, 1),
        ({"max_tokens": 2}, "aé", "a\ufffd", FinishReason.LENGTH, 2),
    ],
)
def test_an_answer_ends_where_it_should_and_counts_what_it_took(
    options, text, shown, reason, count
):
    outputs = write(answer_of(**options), text)

    assert text_of(outputs) == shown
    assert outputs[-1].finish_reason is reason
    assert len(outputs) == count


def test_stop_strings_do_not_count_before_the_least_number_of_tokens():
    outputs = write(answer_of(stop=("a",), min_tokens=4), "aabbba!")

    assert text_of(outputs) == "aabbb"
    assert len(outputs) == 6


def test_end_tokens_are_banned_before_the_least_number_of_tokens():
    answer = answer_of(min_tokens=2)
    banned = [answer.sampling.banned]

    for token in b"ab":
        answer.take(Sampled(token))
        banned.append(answer.sampling.banned)

    assert banned == [(END,), (END,), ()]


def test_end_tokens_are_banned_in_the_middle_of_a_sentence():
    answer = answer_of(judge_sent_end=True)
    banned = [bool(answer.sampling.banned)]

    for token in b"Hi. Yo!":
        answer.take(Sampled(token))
        banned.append(bool(answer.sampling.banned))

    assert banned == [True, True, True, False, True, True, True, False]


@pytest.mark.parametrize(
    ("text", "shown"),
    [("One. Two. Thr", "One. Two."), ("no end at all", "no end at all"), ("好。不", "好。")],
)
def test_an_answer_cut_by_its_length_goes_back_to_its_last_whole_sentence(text, shown):
    outputs = write(answer_of(judge_sent_end=True, max_tokens=len(text.encode())), text)

    assert outputs[-1].finish_reason is FinishReason.LENGTH
    assert text_of(outputs) == shown


def test_a_stop_string_ends_an_answer_in_the_middle_of_a_sentence_all_the_same():
    outputs = write(answer_of(judge_sent_end=True, stop=("###",)), "One. Two ### three")

    assert text_of(outputs) == "One. Two "


def test_the_engine_reaches_the_least_number_of_tokens(make_engine, tokenizer):
    engine = make_engine()
    end = tokenizer.eos_token_id
    params = SamplingParams(temperature=0.0, min_tokens=5, logit_bias=((end, 100.0),))

    engine.submit("a", messages=said("Hi"), params=params)
    outputs = drain(engine)["a"]

    assert len(outputs) == 6
    assert [token == end for token in tokens_of(outputs)] == [False] * 5 + [True]


def test_the_engine_finishes_the_sentence(make_engine, tokenizer):
    engine = make_engine()
    (full_stop,) = tokenizer(".")["input_ids"]
    bias = ((tokenizer.eos_token_id, 100.0), (full_stop, 90.0))
    params = SamplingParams(temperature=0.0, judge_sent_end=True, logit_bias=bias)

    engine.submit("a", messages=said("Hi"), params=params)
    outputs = drain(engine)["a"]

    assert text_of(outputs) == "."
    assert outputs[-1].finish_reason is FinishReason.STOP


@pytest.mark.parametrize(
    ("params", "text"),
    [
        ({}, ""),
        ({"skip_special_tokens": False}, "<|im_start|>" * 3),
        (
            {"skip_special_tokens": False, "spaces_between_special_tokens": True},
            "<|im_start|> <|im_start|> <|im_start|>",
        ),
    ],
)
def test_special_tokens_are_hidden_or_shown(make_engine, tokenizer, params, text):
    engine = make_engine()
    token = tokenizer.convert_tokens_to_ids("<|im_start|>")
    options = SamplingParams(
        temperature=0, max_tokens=3, logit_bias=((token, 100.0),), ignore_eos=True, **params
    )

    engine.submit("a", messages=said("Hi"), params=options)

    assert text_of(drain(engine)["a"]) == text


def test_an_end_token_is_not_shown_where_special_tokens_are(make_engine, tokenizer):
    engine = make_engine()
    bias = ((tokenizer.eos_token_id, 100.0),)
    params = SamplingParams(temperature=0, skip_special_tokens=False, logit_bias=bias)

    engine.submit("a", messages=said("Hi"), params=params)

    assert text_of(drain(engine)["a"]) == ""
