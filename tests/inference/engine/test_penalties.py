import pytest
import torch
from transformers import RepetitionPenaltyLogitsProcessor

from inference.engine.penalties import TokenCounts, apply_penalties, counts_for
from inference.generation import SamplingParams


@pytest.fixture
def logits():
    return torch.randn(3, 40, generator=torch.Generator().manual_seed(0)) * 3


def counts_of(prompt=(), answer=()):
    counts = TokenCounts(prompt)
    for token in answer:
        counts.add(token)
    return counts


def test_the_repetition_penalty_is_transformers_own(logits):
    prompt, answer = [1, 2, 3], [3, 4]
    expected = RepetitionPenaltyLogitsProcessor(1.3)(
        torch.tensor([prompt + answer] * 3), logits.clone()
    )

    apply_penalties(
        logits,
        [SamplingParams(repetition_penalty=1.3)] * 3,
        [counts_of(prompt, answer) for _ in range(3)],
    )

    torch.testing.assert_close(logits, expected)


def test_presence_counts_once_and_frequency_every_time(logits):
    before = logits.clone()
    params = SamplingParams(presence_penalty=0.5, frequency_penalty=0.25)

    apply_penalties(
        logits,
        [params] * 2 + [SamplingParams()],
        [
            counts_of(answer=[7, 7, 9]),
            counts_of(),
            None,
        ],
    )

    change = logits - before
    assert change[0, 7].item() == pytest.approx(-1.0, abs=1e-5)
    assert change[0, 9].item() == pytest.approx(-0.75, abs=1e-5)
    assert change.count_nonzero() == 2


def test_counts_keep_only_what_occurred():
    counts = TokenCounts([5, 5, 3])

    for token in [3, *range(100, 300), 3]:
        counts.add(token)

    assert counts.tokens.tolist() == [3, 5, *range(100, 300)]
    assert counts.counts.tolist() == [2, 0, *[1] * 200]


@pytest.mark.parametrize(
    ("params", "seen"),
    [
        (SamplingParams(), None),
        (SamplingParams(repetition_penalty=1.1), [1, 2]),
        (SamplingParams(presence_penalty=0.1), []),
        (SamplingParams(frequency_penalty=-0.1), []),
    ],
)
def test_only_what_a_penalty_asks_for_is_counted(params, seen):
    counts = counts_for(params, [2, 1])

    assert (counts and counts.tokens.tolist()) == seen
