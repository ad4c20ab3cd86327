import pytest
import torch
from transformers import (
    MinPLogitsWarper,
    RepetitionPenaltyLogitsProcessor,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

from inference.engine import filters
from inference.engine.penalties import TokenCounts, apply_penalties
from inference.generation import SamplingParams


@pytest.fixture
def logits():
    return torch.randn(3, 40, generator=torch.Generator().manual_seed(0)) * 3


@pytest.mark.parametrize("count", [1, 5, 39])
def test_top_k_keeps_what_transformers_keeps(logits, count):
    expected = TopKLogitsWarper(count)(None, logits)

    torch.testing.assert_close(filters.keep_top_k(logits, [count] * 3), expected)


@pytest.mark.parametrize("candidates", [2, 1024])
@pytest.mark.parametrize("mass", [0.05, 0.5, 0.95])
def test_top_p_keeps_what_transformers_keeps(logits, mass, candidates, monkeypatch):
    monkeypatch.setattr(filters, "NUCLEUS_CANDIDATES", candidates)
    expected = TopPLogitsWarper(mass)(None, logits)

    torch.testing.assert_close(filters.keep_top_p(logits, [mass] * 3), expected)


@pytest.mark.parametrize("factor", [0.01, 0.5, 1.0])
def test_min_p_keeps_what_transformers_keeps(logits, factor):
    expected = MinPLogitsWarper(factor)(None, logits)

    torch.testing.assert_close(filters.keep_min_p(logits, [factor] * 3), expected)


@pytest.mark.parametrize(
    ("narrow", "values", "neutral"),
    [
        (filters.keep_top_k, [0, 2, 100], 0),
        (filters.keep_top_p, [1.0, 0.3, 1.0], 1.0),
        (filters.keep_min_p, [0.0, 0.4, 0.0], 0.0),
    ],
)
def test_a_neutral_row_keeps_everything_beside_a_narrowed_one(logits, narrow, values, neutral):
    narrowed = narrow(logits, values)

    assert narrowed[1].isinf().any()
    torch.testing.assert_close(narrowed[[0, 2]], logits[[0, 2]])
    assert narrow(logits, [neutral] * 3) is logits


def test_the_repetition_penalty_is_transformers_own(logits):
    prompt, answer = [1, 2, 3], [3, 4]
    counts = TokenCounts(prompt, vocabulary_size=40, device=torch.device("cpu"))
    for token in answer:
        counts.add(token)
    expected = RepetitionPenaltyLogitsProcessor(1.3)(
        torch.tensor([prompt + answer]), logits[:1].clone()
    )

    penalised = apply_penalties(logits[:1], [SamplingParams(repetition_penalty=1.3)], [counts])

    torch.testing.assert_close(penalised, expected)


def test_presence_counts_once_and_frequency_each_time():
    counts = TokenCounts([0], vocabulary_size=4, device=torch.device("cpu"))
    for token in (1, 1, 2):
        counts.add(token)
    params = SamplingParams(presence_penalty=1.0, frequency_penalty=0.5)

    penalised = apply_penalties(torch.zeros(1, 4), [params], [counts])

    assert penalised.tolist() == [[0.0, -2.0, -1.5, 0.0]]


def test_rows_without_penalties_stay_as_they_are(logits):
    counts = TokenCounts([1], vocabulary_size=40, device=torch.device("cpu"))
    params = [SamplingParams(), SamplingParams(repetition_penalty=2.0), SamplingParams()]

    penalised = apply_penalties(logits, params, [None, counts, None])

    torch.testing.assert_close(penalised[[0, 2]], logits[[0, 2]])
    assert penalised[1, 1] != logits[1, 1]
