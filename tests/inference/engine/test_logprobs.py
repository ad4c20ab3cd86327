import torch

from inference.engine import logprobs
from inference.engine.logprobs import prompt_logprobs, token_logprobs


def scores(rows, vocabulary=200):
    return torch.randn(rows, vocabulary, generator=torch.Generator().manual_seed(2)) * 4


def test_log_probabilities_are_the_log_softmax_of_the_scores():
    logits = scores(3)
    expected = logits.double().log_softmax(-1)

    told = token_logprobs(logits, torch.tensor([5, 0, 199]), [2, 0, 20])

    assert [one.token for one in told] == [5, 0, 199]
    assert [len(one.top) for one in told] == [2, 0, 20]
    for row, one in enumerate(told):
        assert abs(one.logprob - expected[row, one.token]) < 1e-4
        best = expected[row].topk(len(one.top))
        assert [token for token, _ in one.top] == best.indices.tolist()
        torch.testing.assert_close(
            torch.tensor([value for _, value in one.top]).double(), best.values, atol=1e-4, rtol=0
        )


def test_scores_in_half_precision_are_told_too():
    logits = scores(1).bfloat16()

    (told,) = token_logprobs(logits, torch.tensor([7]), [1])

    assert abs(told.logprob - logits.double().log_softmax(-1)[0, 7]) < 1e-4


def test_a_prompt_is_told_in_parts_without_a_difference(monkeypatch):
    logits, tokens = scores(10), list(range(10))
    whole = prompt_logprobs(logits, tokens, 3)

    monkeypatch.setattr(logprobs, "ROWS_AT_ONCE", 4)

    assert prompt_logprobs(logits, tokens, 3) == whole
    assert [one.token for one in whole] == tokens
