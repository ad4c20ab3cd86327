import random

import pytest
import torch
from scipy.stats import chisquare

from inference.engine.penalties import TokenCounts
from inference.engine.sampler import SamplingState, sample
from inference.generation import SamplingParams

VOCABULARY = 50


def state(seed=0, *, prompt=None, **params):
    counts = None
    if prompt is not None:
        counts = TokenCounts(prompt, vocabulary_size=VOCABULARY, device=torch.device("cpu"))
    return SamplingState(SamplingParams(**params), random.Random(seed), counts)


def logits_of(rows=1, *, seed=0):
    return torch.randn(rows, VOCABULARY, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("temperature", [0.0, 9e-6])
def test_below_the_greedy_limit_the_likeliest_token_is_taken(temperature):
    logits = logits_of(4)

    tokens = sample(logits, [state(temperature=temperature) for _ in range(4)])

    assert tokens == logits.argmax(dim=-1).tolist()


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({"temperature": 1.0}, lambda p: p),
        ({"temperature": 0.5}, lambda p: p**2 / (p**2).sum()),
        ({"temperature": 1.0, "top_k": 5}, lambda p: keep(p, 5)),
        ({"temperature": 1.0, "top_p": 0.6}, lambda p: keep(p, nucleus(p, 0.6))),
        ({"temperature": 1.0, "min_p": 0.1}, lambda p: keep(p, int((p >= 0.1 * p.max()).sum()))),
    ],
)
def test_samples_follow_the_exact_distribution(params, expected):
    logits = logits_of()
    wanted = expected(logits[0].double().softmax(-1))
    states = [state(seed=1, **params)]
    draws = [sample(logits, states)[0] for _ in range(2_000)]

    seen = torch.bincount(torch.tensor(draws), minlength=VOCABULARY).double()

    assert seen[wanted == 0].sum() == 0
    likely = wanted * 2_000 >= 5  # the chi-square test wants five expected in every cell
    observed = [*seen[likely].tolist(), seen[~likely].sum().item()]
    predicted = [*(wanted[likely] * 2_000).tolist(), (wanted[~likely] * 2_000).sum().item()]
    if predicted[-1] == 0:
        observed, predicted = observed[:-1], predicted[:-1]
    assert len(observed) > 3
    assert chisquare(observed, predicted).pvalue > 0.001


def test_each_row_follows_its_own_parameters():
    logits = logits_of().repeat(3, 1)
    best = logits[0].argmax().item()
    top_two = set(logits[0].topk(2).indices.tolist())
    states = [
        state(temperature=0.0),
        state(temperature=2.0, top_k=2, seed=3),
        state(temperature=2.0, seed=4),
    ]

    rows = [sample(logits, states) for _ in range(200)]

    assert {row[0] for row in rows} == {best}
    assert {row[1] for row in rows} == top_two
    assert len({row[2] for row in rows}) > 10


def test_a_seed_gives_the_same_draws_in_any_batch():
    logits = logits_of(5)

    def draws(states):
        return [sample(logits[: len(states)], states)[0] for _ in range(20)]

    alone = draws([state(seed=9, temperature=1.0)])
    among = draws([state(seed=9, temperature=1.0), *[state(temperature=1.0) for _ in range(4)]])

    assert alone == among


def test_a_draw_at_the_very_end_takes_a_token_with_mass():
    class Highest(random.Random):
        def random(self):
            return 1.0 - 2.0**-53

    logits = torch.full((1, VOCABULARY), float("-inf"))
    logits[0, 3] = logits[0, 7] = 0.0

    tokens = sample(logits, [SamplingState(SamplingParams(temperature=1.0), Highest())])

    assert tokens == [7]


@pytest.mark.parametrize("bad", [float("nan"), float("-inf")])
def test_a_row_without_usable_scores_gives_none_and_the_others_theirs(bad):
    logits = logits_of(3)
    expected = logits.argmax(dim=-1).tolist()
    logits[1] = bad

    tokens = sample(logits, [state(temperature=0.0), state(temperature=1.0), state(temperature=0)])

    assert tokens == [expected[0], None, expected[2]]


def test_penalties_push_what_was_said_back():
    logits = torch.zeros(3, VOCABULARY)
    logits[:, 5], logits[:, 6] = 2.0, 1.9
    states = [
        state(temperature=0.0, prompt=[5], repetition_penalty=1.2),
        state(temperature=0.0, prompt=[5], presence_penalty=0.5),
        state(temperature=0.0, prompt=[], frequency_penalty=0.06),
    ]
    states[2].counts.add(5)
    states[2].counts.add(5)

    # The prompt counts for repetition alone.
    assert sample(logits, states) == [6, 5, 6]


def keep(probabilities, count):
    kept = torch.zeros_like(probabilities)
    best = probabilities.topk(count).indices
    kept[best] = probabilities[best]
    return kept / kept.sum()


def nucleus(probabilities, mass):
    ordered = probabilities.sort(descending=True).values
    return int((ordered.cumsum(0) < mass).sum()) + 1
