import numpy as np
import pytest
import torch

from inference.engine.grammar import forbid_unset, words_for
from inference.generation import FinishReason, SamplingParams
from tests.support.engine_runs import GREEDY, drain, naive_greedy, said, text_of, tokens_of
from tests.support.text_constraint import OneOf

TEXTS = ("yes", "no", "maybe so")


@pytest.fixture
def one_of(tokenizer):
    def make(*texts, end=True):
        answers = [tokenizer(text)["input_ids"] for text in texts]
        return OneOf(answers, end_token=tokenizer.eos_token_id if end else None)

    return make


class Broken(OneOf):
    """Breaks at its third token, the way a test wants."""

    def __init__(self, error, *, method):
        super().__init__([range(4, 90)], end_token=None)
        self._error, self._method = error, method

    def mask(self, row):
        if self._method == "mask" and len(self._said) == 2:
            raise self._error
        super().mask(row)

    def accept(self, token):
        if self._method == "accept" and len(self._said) == 2:
            raise self._error
        super().accept(token)


@pytest.mark.parametrize("vocabulary", [1, 32, 33, 100])
def test_every_bit_stands_for_its_token(vocabulary):
    allowed = [token for token in range(vocabulary) if token % 3 == 0 or token % 32 == 31]
    masks = np.zeros((1, words_for(vocabulary)), dtype=np.uint32)
    for token in allowed:
        masks[0, token // 32] |= np.uint32(1 << (token % 32))
    scores = torch.zeros(3, vocabulary)

    forbid_unset(scores, [1], masks.view(np.int32))

    assert scores[1].isfinite().nonzero().flatten().tolist() == allowed
    assert scores[[0, 2]].isfinite().all()


@pytest.mark.parametrize("temperature", [0.0, 1.0, 2.0])
@pytest.mark.parametrize("end", [True, False])
def test_an_answer_is_one_of_the_texts_allowed(make_engine, one_of, temperature, end):
    engine = make_engine()
    params = SamplingParams(temperature=temperature)
    for number in range(8):
        engine.submit(
            str(number),
            messages=said(f"Question {number}?"),
            params=params,
            constraint=one_of(*TEXTS, end=end),
        )

    outputs = drain(engine)

    assert {text_of(outputs[str(number)]) for number in range(8)} <= set(TEXTS)
    assert {outputs[str(number)][-1].finish_reason for number in range(8)} == {FinishReason.STOP}


def test_a_constraint_changes_nobody_elses_answer(make_engine, one_of, tiny_model, tokenizer):
    engine = make_engine()
    engine.submit("bound", messages=said("Hello!"), params=GREEDY, constraint=one_of("bound"))
    engine.submit("free", messages=said("Hello!"), params=GREEDY)

    outputs = drain(engine)

    assert text_of(outputs["bound"]) == "bound"
    assert tokens_of(outputs["free"]) == naive_greedy(tiny_model, tokenizer, "Hello!")


def test_every_choice_follows_the_constraint_on_its_own(make_engine, one_of):
    engine = make_engine()
    params = SamplingParams(temperature=2.0, n=6, seed=3)

    engine.submit("a", messages=said("Hello!"), params=params, constraint=one_of(*TEXTS))
    outputs = drain(engine)["a"]

    answers = [text_of([o for o in outputs if o.choice == choice]) for choice in range(6)]
    assert set(answers) <= set(TEXTS)
    assert len(set(answers)) > 1


@pytest.mark.parametrize("method", ["mask", "accept"])
def test_a_constraint_that_breaks_ends_its_answer_alone(make_engine, tiny_model, tokenizer, method):
    engine = make_engine()
    broken = Broken(RuntimeError("a bug"), method=method)
    engine.submit("broken", messages=said("Hello!"), params=GREEDY, constraint=broken)
    engine.submit("good", messages=said("Why?"), params=GREEDY)

    outputs = drain(engine)

    assert outputs["broken"][-1].finish_reason is FinishReason.ERROR
    assert outputs["broken"][-1].failure.code == "grammar_error"
    assert tokens_of(outputs["good"]) == naive_greedy(tiny_model, tokenizer, "Why?")


def test_where_no_token_is_allowed_the_answer_fails(make_engine):
    engine = make_engine()

    engine.submit("a", messages=said("Hi"), params=GREEDY, constraint=OneOf([], end_token=None))
    (output,) = drain(engine)["a"]

    assert output.failure.code == "grammar_error"
    assert output.usage.completion_tokens == 0
    assert engine.stats().used_blocks == 0
