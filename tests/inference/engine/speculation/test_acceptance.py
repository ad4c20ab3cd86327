import random
from collections import Counter

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from inference.engine.speculation.acceptance import accept_drawn, draw_from, keep_equal
from inference.engine.speculation.proposer import Draft
from tests.support.distributions import misfit

VOCABULARY = 6
RUNS = 4_000


def distributions(rows, *, seed, sharpness=1.5):
    scores = torch.randn(rows, VOCABULARY, generator=torch.Generator().manual_seed(seed))
    return (scores * sharpness).softmax(dim=-1)


def uniform(rng, count):
    return [rng.random() for _ in range(count)]


def drawn_drafts(proposal, rng, count):
    """So many drafts drawn from the rows of `proposal` [k, V]."""
    size = len(proposal)
    tokens = draw_from(proposal.repeat(count, 1), uniform(rng, count * size))
    return [Draft(tokens[at : at + size], proposal) for at in range(0, count * size, size)]


def answers_of(target, proposal, accept):
    """The first two tokens of many answers whose distributions do not depend on the past."""
    rng = random.Random(5)
    drafts = drawn_drafts(proposal, rng, RUNS)
    # A draft refused at once leaves the second token to the next step.
    later = draw_from(target[1:2].expand(RUNS, -1), uniform(rng, RUNS))
    answers = accept(target, drafts, rng)
    return Counter(
        tuple([*tokens, after][:2]) for tokens, after in zip(answers, later, strict=True)
    )


def by_rejection(target, drafts, rng):
    draws = [uniform(rng, len(target)) for _ in drafts]
    return accept_drawn(target.repeat(len(drafts), 1), drafts, draws)


def by_choosing(target, drafts, rng):
    size = len(target)
    chosen = draw_from(target.repeat(len(drafts), 1), uniform(rng, size * len(drafts)))
    return [
        keep_equal(draft.tokens, chosen[at * size : (at + 1) * size])
        for at, draft in enumerate(drafts)
    ]


def believing_everything(target, drafts, rng):
    last = draw_from(target[-1:].expand(len(drafts), -1), uniform(rng, len(drafts)))
    return [[*draft.tokens, token] for draft, token in zip(drafts, last, strict=True)]


def refusing_with_the_whole_target(target, drafts, rng):
    """The mistake of drawing after a refusal from p instead of from what p has more than q."""
    kept = (target[0] / drafts[0].probabilities[0]).tolist()
    last = draw_from(target[:1].expand(len(drafts), -1), uniform(rng, len(drafts)))
    return [
        [draft.tokens[0] if rng.random() < kept[draft.tokens[0]] else token]
        for draft, token in zip(drafts, last, strict=True)
    ]


def exact_pairs(target):
    joint = target[0].unsqueeze(1) * target[1].unsqueeze(0)
    return {divmod(at, VOCABULARY): float(mass) for at, mass in enumerate(joint.flatten())}


@pytest.mark.parametrize("accept", [by_rejection, by_choosing])
@pytest.mark.parametrize("guesses", [1, 3])
@pytest.mark.parametrize("seed", [0, 1])
def test_answers_with_drafts_follow_the_targets_distribution(accept, guesses, seed):
    target = distributions(guesses + 1, seed=seed)
    proposal = distributions(guesses, seed=seed + 10)

    pairs = answers_of(target, proposal, accept)

    assert misfit(pairs, exact_pairs(target)) > 0.001


@pytest.mark.parametrize("accept", [believing_everything, refusing_with_the_whole_target])
def test_the_check_notices_a_wrong_rule(accept):
    target, proposal = distributions(2, seed=0), distributions(1, seed=10)

    pairs = answers_of(target, proposal, accept)

    assert misfit(pairs, exact_pairs(target)) < 1e-9


def test_more_is_accepted_by_rejection_than_by_choosing():
    target, proposal = distributions(3, seed=2, sharpness=0.7), distributions(2, seed=3)
    rng = random.Random(1)
    drafts = drawn_drafts(proposal, rng, 500)

    rejecting, choosing = (
        sum(len(tokens) - 1 for tokens in accept(target, drafts, rng))
        for accept in (by_rejection, by_choosing)
    )

    assert rejecting > 1.3 * choosing


def test_a_guess_from_the_targets_own_distribution_is_always_accepted():
    target = distributions(4, seed=3)
    rng = random.Random(2)

    answers = by_rejection(target, drawn_drafts(target[:3], rng, 100), rng)

    assert {len(tokens) for tokens in answers} == {4}


def test_drafts_of_a_batch_do_not_touch_each_other():
    target, proposal = distributions(7, seed=4), distributions(5, seed=5)
    rng = random.Random(3)
    drafts = [*drawn_drafts(proposal[:2], rng, 1), *drawn_drafts(proposal[2:], rng, 1)]
    draws = [uniform(rng, count) for count in (3, 4)]

    together = accept_drawn(target, drafts, draws)

    alone = [
        *accept_drawn(target[:3], drafts[:1], draws[:1]),
        *accept_drawn(target[3:], drafts[1:], draws[1:]),
    ]
    assert together == alone


def test_a_token_the_target_excludes_is_never_said():
    target, proposal = distributions(2, seed=6), distributions(1, seed=7)
    target[:, 3] = 0
    proposal = torch.where(torch.arange(VOCABULARY) == 3, 5.0, proposal)
    proposal /= proposal.sum()
    rng = random.Random(4)

    answers = by_rejection(target, [Draft([3], proposal)] * 300, rng)

    assert all(3 not in tokens for tokens in answers)


@pytest.mark.parametrize(("broken", "expected"), [(0, [None]), (1, [2, None]), (2, [2, 3, None])])
def test_scores_of_no_use_end_the_answer_where_they_stand(broken, expected):
    target = torch.eye(VOCABULARY)[[2, 3, 4]]
    target[broken] = float("nan")
    draft = Draft([2, 3], torch.eye(VOCABULARY)[[2, 3]])

    assert accept_drawn(target, [draft], [[0.5, 0.5, 0.5]]) == [expected]


def test_a_refusal_where_both_are_equal_up_to_rounding_still_gives_a_token():
    target = torch.tensor([[0.5, 0.5], [1.0, 0.0]])
    proposal = torch.tensor([[0.5, 0.5 + 1e-7]])

    assert accept_drawn(target, [Draft([1], proposal)], [[1 - 1e-9, 0.2]])[0][0] in (0, 1)


@given(st.lists(st.integers(0, 2), max_size=5), st.data())
def test_only_choices_the_draft_foresaw_are_kept(draft, data):
    size = len(draft) + 1
    chosen = data.draw(st.lists(st.sampled_from([0, 1, 2, None]), min_size=size, max_size=size))

    kept = keep_equal(draft, chosen)

    assert kept == chosen[: len(kept)]
    assert kept[:-1] == draft[: len(kept) - 1]
    assert len(kept) == size or kept[-1] != draft[len(kept) - 1]
