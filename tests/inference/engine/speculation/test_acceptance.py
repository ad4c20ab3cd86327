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


def drawn_draft(proposal, rng):
    """A draft drawn from the rows of `proposal` [k, V]."""
    tokens = draw_from(proposal, [rng.random() for _ in range(len(proposal))])
    return Draft(tokens, proposal)


def answers_of(target, proposal, accept):
    """The first two tokens of many answers whose distributions do not depend on the past."""
    rng = random.Random(5)
    pairs = Counter()
    for _ in range(RUNS):
        tokens = accept(target, drawn_draft(proposal, rng), rng)
        if len(tokens) < 2:  # refused at once: the next step draws the second token
            tokens = [*tokens, *draw_from(target[1:2], [rng.random()])]
        pairs[tuple(tokens[:2])] += 1
    return pairs


def by_rejection(target, draft, rng):
    return accept_drawn(target, [draft], [[rng.random() for _ in range(len(draft.tokens) + 1)]])[0]


def by_choosing(target, draft, rng):
    chosen = draw_from(target, [rng.random() for _ in range(len(target))])
    return keep_equal(draft.tokens, chosen)


def believing_everything(target, draft, rng):
    return [*draft.tokens, *draw_from(target[-1:], [rng.random()])]


def refusing_with_the_whole_target(target, draft, rng):
    """The mistake of drawing after a refusal from p instead of from what p has more than q."""
    token, kept = draft.tokens[0], target[0] / draft.probabilities[0]
    if rng.random() < kept[token]:
        return [token]
    return draw_from(target[:1], [rng.random()])


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
    kept = {by_rejection: 0, by_choosing: 0}

    for accept in kept:
        for _ in range(500):
            kept[accept] += len(accept(target, drawn_draft(proposal, rng), rng)) - 1

    assert kept[by_rejection] > 1.3 * kept[by_choosing]


def test_a_guess_from_the_targets_own_distribution_is_always_accepted():
    target = distributions(4, seed=3)
    rng = random.Random(2)

    lengths = {len(by_rejection(target, drawn_draft(target[:3], rng), rng)) for _ in range(100)}

    assert lengths == {4}


def test_drafts_of_a_batch_do_not_touch_each_other():
    target, proposal = distributions(7, seed=4), distributions(5, seed=5)
    rng = random.Random(3)
    drafts = [drawn_draft(proposal[:2], rng), drawn_draft(proposal[2:], rng)]
    draws = [[rng.random() for _ in range(count)] for count in (3, 4)]

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

    said = {token for _ in range(300) for token in by_rejection(target, Draft([3], proposal), rng)}

    assert 3 not in said


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
