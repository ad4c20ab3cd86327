import pytest
import torch
from transformers import MinPLogitsWarper, TopKLogitsWarper, TopPLogitsWarper

from inference.engine import filters


@pytest.fixture
def logits():
    return torch.randn(3, 40, generator=torch.Generator().manual_seed(0)) * 3


def column(values, dtype=torch.float32):
    return torch.tensor(values, dtype=dtype).unsqueeze(-1)


def renormalised(weights):
    return weights / weights.sum(dim=-1, keepdim=True)


@pytest.mark.parametrize("count", [1, 5, 39])
def test_top_k_keeps_what_transformers_keeps(logits, count):
    expected = TopKLogitsWarper(count)(None, logits).softmax(-1)

    kept = filters.keep_top_k(logits.softmax(-1), column([count] * 3, torch.long), most=count)

    torch.testing.assert_close(renormalised(kept), expected)


@pytest.mark.parametrize("candidates", [2, 1024])
@pytest.mark.parametrize("mass", [0.05, 0.5, 0.95])
def test_top_p_keeps_what_transformers_keeps(logits, mass, candidates, monkeypatch):
    monkeypatch.setattr(filters, "NUCLEUS_CANDIDATES", candidates)
    expected = TopPLogitsWarper(mass)(None, logits).softmax(-1)

    kept = filters.keep_top_p(logits.softmax(-1), column([mass] * 3))

    torch.testing.assert_close(renormalised(kept), expected)


@pytest.mark.parametrize("factor", [0.01, 0.5, 1.0])
def test_min_p_keeps_what_transformers_keeps(logits, factor):
    expected = MinPLogitsWarper(factor)(None, logits).softmax(-1)

    kept = filters.keep_min_p(logits.softmax(-1), column([factor] * 3))

    torch.testing.assert_close(renormalised(kept), expected)


@pytest.mark.parametrize(
    "narrow",
    [
        lambda weights: filters.keep_top_k(weights, column([0, 2, 0], torch.long), most=2),
        lambda weights: filters.keep_top_p(weights, column([1.0, 0.3, 1.0])),
        lambda weights: filters.keep_min_p(weights, column([0.0, 0.4, 0.0])),
    ],
)
def test_a_neutral_row_keeps_everything_beside_a_narrowed_one(logits, narrow):
    weights = logits.softmax(-1)

    narrowed = narrow(weights)

    assert (narrowed[1] == 0).any()
    assert torch.equal(narrowed[[0, 2]], weights[[0, 2]])


def test_tokens_as_likely_as_the_last_one_kept_stay_too():
    weights = torch.tensor([[0.4, 0.2, 0.2, 0.1, 0.1]])

    top_two = filters.keep_top_k(weights, column([2], torch.long), most=2)
    half = filters.keep_top_p(weights, column([0.5]))

    assert top_two.tolist() == half.tolist() == torch.tensor([[0.4, 0.2, 0.2, 0, 0]]).tolist()


@pytest.mark.parametrize("vocabulary", [40, 6_400, 6_437])
@pytest.mark.parametrize("count", [1, 20])
def test_the_largest_values_are_those_a_sort_finds(vocabulary, count):
    values = torch.randn(4, vocabulary, generator=torch.Generator().manual_seed(1))
    values[1, -3:] = 9.0  # ties, in the part that fills no block
    values[2] = values[2].round()

    found, places = filters.largest(values, count)

    assert torch.equal(found, values.sort(dim=-1, descending=True).values[:, :count])
    assert torch.equal(values.gather(-1, places), found)
