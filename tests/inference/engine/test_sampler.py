import random
from functools import cache

import pytest
import torch
from scipy.stats import chisquare

from inference.engine import sampler as sampler_module
from inference.engine.penalties import counts_for
from inference.engine.sampler import Sampler, probabilities
from inference.engine.sampling_state import SamplingState, random_numbers
from inference.generation import SamplingParams

VOCABULARY = 50
DRAWS = 3_000


def state(seed=0, *, prompt=(), answer=(), rng=None, **params):
    params = SamplingParams(**params)
    counts = counts_for(params, prompt)
    for token in answer:
        counts.add(token)
    rng = rng or random.Random(seed)
    return SamplingState(params, rng, counts, logprobs=params.logprobs)


def logits_of(rows=1, *, seed=0, vocabulary=VOCABULARY):
    return torch.randn(rows, vocabulary, generator=torch.Generator().manual_seed(seed))


def sample(logits, states):
    return [result.token for result in Sampler().sample(logits, states)]


def keep(probabilities, count):
    kept = torch.zeros_like(probabilities)
    best = probabilities.topk(count).indices
    kept[best] = probabilities[best]
    return kept / kept.sum()


def nucleus(probabilities, mass):
    ordered = probabilities.sort(descending=True).values
    return keep(probabilities, int((ordered.cumsum(0) < mass).sum()) + 1)


def above_floor(probabilities, floor):
    return keep(probabilities, int((probabilities >= floor * probabilities.max()).sum()))


def fit(wanted, draws):
    """The chi-square test's p-value of draws against a distribution."""
    seen = torch.bincount(torch.tensor(draws), minlength=len(wanted)).double()
    if seen[wanted == 0].sum():
        return 0.0
    expected = wanted * len(draws)
    likely = expected >= 5  # the test wants five expected in every cell
    observed = [*seen[likely].tolist(), seen[~likely].sum().item()]
    predicted = [*expected[likely].tolist(), expected[~likely].sum().item()]
    if predicted[-1] == 0:
        observed, predicted = observed[:-1], predicted[:-1]
    assert len(observed) > 2
    return chisquare(observed, predicted).pvalue


def adjusted(logits, *, seen=(), said=(), repetition=1.0, presence=0.0, frequency=0.0, bias=()):
    """The scores after bias and penalties, token by token."""
    scores = logits.double().clone()
    for token, value in bias:
        scores[token] += value
    for token in {*seen, *said}:
        scores[token] = (
            scores[token] / repetition if scores[token] > 0 else (scores[token] * repetition)
        )
    for token in set(said):
        scores[token] -= presence + frequency * list(said).count(token)
    return scores


P = logits_of()[0].double().softmax(-1)
CASES = [
    ({"temperature": 1.0}, P),
    ({"temperature": 0.5}, P**2 / (P**2).sum()),
    ({"temperature": 1.0, "top_k": 5}, keep(P, 5)),
    ({"temperature": 1.0, "top_p": 0.6}, nucleus(P, 0.6)),
    ({"temperature": 1.0, "top_p": 0.4}, nucleus(P, 0.4)),
    ({"temperature": 1.0, "min_p": 0.1}, above_floor(P, 0.1)),
    (
        {"temperature": 1.0, "top_k": 20, "top_p": 0.7, "min_p": 0.2},
        above_floor(nucleus(keep(P, 20), 0.7), 0.2),
    ),
    (
        {"temperature": 1.0, "logit_bias": ((3, 2.0), (7, -1.0))},
        adjusted(logits_of()[0], bias=((3, 2.0), (7, -1.0))).softmax(-1),
    ),
    (
        {"temperature": 1.0, "repetition_penalty": 1.8, "prompt": (1, 2, 3), "answer": (3, 9)},
        adjusted(logits_of()[0], seen=(1, 2, 3), said=(3, 9), repetition=1.8).softmax(-1),
    ),
    (
        {
            "temperature": 1.0,
            "presence_penalty": 0.9,
            "frequency_penalty": 0.4,
            "prompt": (1, 2, 3),
            "answer": (3, 9, 9),
        },
        adjusted(logits_of()[0], said=(3, 9, 9), presence=0.9, frequency=0.4).softmax(-1),
    ),
]


@cache
def mixed_draws():
    """Draws of all cases side by side in one batch, with a greedy row between them."""
    states = [state(seed, **params) for seed, (params, _) in enumerate(CASES)]
    states.insert(4, state(temperature=0.0))
    batch = logits_of().repeat(len(states), 1)
    sampler = Sampler()
    drawn = [[result.token for result in sampler.sample(batch, states)] for _ in range(DRAWS)]
    columns = list(zip(*drawn, strict=True))
    assert set(columns.pop(4)) == {int(P.argmax())}
    return columns


@pytest.mark.parametrize("case", range(len(CASES)))
def test_each_row_of_a_mixed_batch_follows_its_own_exact_distribution(case):
    _, wanted = CASES[case]

    assert fit(wanted, mixed_draws()[case]) > 0.001


def test_a_slightly_wrong_distribution_would_be_noticed():
    for case in (0, 3, 6, 8):
        wrong = CASES[case][1] ** 1.25

        assert fit(wrong / wrong.sum(), mixed_draws()[case]) < 0.001


@pytest.mark.parametrize("case", range(7))
def test_the_stated_probabilities_are_those_that_are_drawn_from(case):
    params, wanted = CASES[case]

    found = probabilities(logits_of(), [state(**params)])[0]

    torch.testing.assert_close(found.double(), wanted, atol=1e-6, rtol=1e-4)


@pytest.mark.parametrize("temperature", [0.0, 9e-6])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_below_the_greedy_limit_the_likeliest_token_is_taken(temperature, dtype):
    logits = logits_of(4, vocabulary=3_000).to(dtype)

    tokens = sample(logits, [state(temperature=temperature) for _ in range(4)])

    assert tokens == logits.argmax(dim=-1).tolist()


def test_of_equally_likely_tokens_the_first_is_taken():
    logits = torch.zeros(2, 1_000)
    logits[0, [700, 3]] = 1.0
    logits[1, [999, 998]] = 1.0

    assert sample(logits, [state(temperature=0.0)] * 2) == [3, 998]


def test_large_batches_are_sampled_in_parts_without_a_difference(monkeypatch):
    logits = logits_of(9)
    together = sample(logits, [state(seed, temperature=1.0) for seed in range(9)])

    monkeypatch.setattr(sampler_module, "CPU_SCORES_AT_ONCE", 4 * VOCABULARY)
    in_parts = sample(logits, [state(seed, temperature=1.0) for seed in range(9)])

    assert in_parts == together


def test_a_sampler_follows_a_batch_that_changes():
    sampler = Sampler()
    greedy, biased = state(temperature=0.0), state(temperature=0.0, logit_bias=((8, 100.0),))
    logits = logits_of(2)
    best = logits.argmax(dim=-1).tolist()

    steps = [
        [result.token for result in sampler.sample(logits[: len(batch)], batch)]
        for batch in ([greedy, greedy], [greedy, biased], [biased], [biased, greedy])
    ]

    assert steps == [best, [best[0], 8], [8], [8, best[1]]]


def test_a_seed_gives_the_same_draws_in_any_batch():
    logits = logits_of(5)
    ours = {"temperature": 1.0, "top_p": 0.7}

    def draws(states):
        return [sample(logits[: len(states)], states)[0] for _ in range(20)]

    alone = draws([state(seed=9, **ours)])
    among = draws([state(seed=9, **ours), *[state(temperature=1.0) for _ in range(4)]])

    assert alone == among


def test_a_token_takes_one_random_number_however_small_the_nucleus():
    rng = random.Random(1)
    sample(logits_of(3), [state(rng=rng, temperature=1.0, top_p=0.05) for _ in range(3)])

    untouched = random.Random(1)
    for _ in range(3):
        untouched.random()
    assert rng.getstate() == untouched.getstate()


def test_every_choice_of_a_seed_has_its_own_random_numbers():
    streams = [[random_numbers(5, choice).random() for _ in range(2)] for choice in (0, 1, 2, 1)]

    assert streams[0][0] == random.Random(5).random()
    assert streams[1] == streams[3]
    assert len({stream[0] for stream in streams}) == 3


@pytest.mark.parametrize("bad", [float("nan"), float("-inf"), float("inf")])
@pytest.mark.parametrize("params", [{"temperature": 0.0}, {"temperature": 1.0, "top_p": 0.5}])
def test_a_row_without_usable_scores_fails_and_the_others_get_theirs(bad, params):
    logits = logits_of(3)
    expected = logits.argmax(dim=-1).tolist()
    logits[1] = bad
    states = [state(temperature=0.0), state(logit_bias=((1, 1.0),), **params), state(temperature=0)]

    results = Sampler().sample(logits, states)

    assert [result.token for result in results] == [expected[0], None, expected[2]]
    assert results[1].failure.code == "invalid_logits"


def test_one_nan_among_good_scores_is_noticed():
    logits = logits_of(2)
    logits[0, 17] = float("nan")

    assert sample(logits, [state(temperature=1.0)] * 2)[0] is None


def test_banned_tokens_do_not_come():
    logits = logits_of(2)
    best = int(logits[0].argmax())
    states = [state(temperature=0.0, min_tokens=5), state(temperature=0.0)]
    states[0].banned = (best,)

    first, _ = sample(logits, states)

    assert first == int(logits[0].topk(2).indices[1])


def test_penalties_push_what_was_said_back():
    logits = torch.zeros(3, VOCABULARY)
    logits[:, 5], logits[:, 6] = 2.0, 1.9
    states = [
        state(temperature=0.0, prompt=[5], repetition_penalty=1.2),
        state(temperature=0.0, prompt=[5], presence_penalty=0.5),
        state(temperature=0.0, answer=[5, 5], frequency_penalty=0.06),
    ]

    # The prompt counts for repetition alone.
    assert sample(logits, states) == [6, 5, 6]


def test_scores_may_be_a_part_of_something_wider():
    wide = logits_of(2, vocabulary=VOCABULARY + 14)
    states = [state(temperature=0.0, logit_bias=((7, 100.0),)), state(seed=1, temperature=1.0)]

    from_wide = sample(wide[:, :VOCABULARY], states)

    states[1].rng.seed(1)
    assert from_wide == sample(wide[:, :VOCABULARY].clone(), states)
    assert from_wide[0] == 7


def test_scores_are_left_as_they_were():
    logits = logits_of(2)
    before = logits.clone()

    sample(logits, [state(temperature=0.7, logit_bias=((1, 5.0),)), state(temperature=0.7)])

    assert torch.equal(logits, before)
