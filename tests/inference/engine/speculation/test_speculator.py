import random

import pytest
import torch

from inference.engine.penalties import TokenCounts
from inference.engine.sampler import Sampler
from inference.engine.sampling_state import SamplingState
from inference.engine.sequence import Sequence
from inference.engine.speculation.proposer import Draft
from inference.engine.speculation.speculator import Speculator
from inference.generation import SamplingParams

VOCABULARY = 12


class Foreteller:
    """Guesses what it was told, cut to what is wanted, and remembers the wishes."""

    def __init__(self, *drafts):
        self.drafts = list(drafts)
        self.requests = []
        self.forgotten = []

    def propose(self, requests):
        self.requests = list(requests)
        drafts = [*self.drafts, *[Draft([]) for _ in requests]]
        return [
            Draft(draft.tokens[: request.limit], draft.probabilities)
            for request, draft in zip(requests, drafts, strict=False)
        ]

    def forget(self, sequence):
        self.forgotten.append(sequence)


def decoding(name="a", *, length=5, said=1, max_tokens=50):
    tokens = [token % VOCABULARY for token in range(length + said)]
    return Sequence(name, tokens, length, max_tokens, computed_tokens=length + said - 1)


def state(seed=3, **params):
    params = {"temperature": 0.0, "seed": seed, **params}
    return SamplingState(SamplingParams(**params), random.Random(seed))


def counting(**params):
    return SamplingState(SamplingParams(**params), random.Random(0), TokenCounts([1]))


def limits(*pairs, room=100, most=4):
    proposer = Foreteller()
    Speculator(proposer, Sampler(), most_tokens=most).plan(pairs, room=room)
    return {request.sequence.request_id: request.limit for request in proposer.requests}


def scores(rows, *, seed=0):
    return torch.randn(rows, VOCABULARY, generator=torch.Generator().manual_seed(seed)) * 2


def test_a_draft_leaves_room_for_the_token_that_follows_it():
    ends = [decoding(str(left), said=10, max_tokens=10 + left) for left in (1, 2, 3, 9)]

    assert limits(*[(sequence, state()) for sequence in ends]) == {"2": 1, "3": 2, "9": 4}


def test_what_the_step_has_left_is_shared_evenly():
    pairs = [(decoding(name), state()) for name in "abc"]

    assert limits(*pairs, room=8) == {"a": 2, "b": 2, "c": 2}
    assert limits(*pairs, room=2) == {}


def test_requests_whose_tokens_change_the_next_scores_run_without_drafts():
    pairs = [(decoding("free"), state()), (decoding("bound"), counting(presence_penalty=1.0))]

    assert limits(*pairs) == {"free": 4}


def test_the_end_of_a_prompt_is_read_without_a_draft():
    assert limits((decoding("reading", said=0), state()), (decoding("b"), state())) == {"b": 4}


def test_only_sampled_requests_without_a_seed_have_their_guesses_drawn():
    proposer = Foreteller()
    pairs = [
        (decoding("greedy"), state(seed=None)),
        (decoding("seeded"), state(temperature=1.0)),
        (decoding("free"), state(seed=None, temperature=1.0)),
        (decoding("told"), SamplingState(SamplingParams(logprobs=0), random.Random(), logprobs=0)),
    ]

    Speculator(proposer, Sampler(), most_tokens=4).plan(pairs, room=100)

    assert [r.sequence.request_id for r in proposer.requests if r.is_drawn] == ["free"]


def test_greedy_guesses_are_kept_as_far_as_they_are_right():
    logits = scores(9)
    best = logits.argmax(dim=-1).tolist()
    drafts = [best[:3], [best[4], (best[5] + 1) % VOCABULARY, best[6]]]
    pairs = [(decoding("a"), state()), (decoding("b"), state()), (decoding("c"), state())]
    speculator = Speculator(Foreteller(*map(Draft, drafts)), Sampler(), most_tokens=3)
    speculator.plan(pairs, room=100)

    chosen = speculator.choose(logits, pairs)

    found = [[sampled.token for sampled in run] for run in chosen]
    assert found == [best[:4], best[4:6], best[8:9]]
    assert [sequence.draft for sequence, _ in pairs] == [[], [], []]
    assert (speculator.drafted_tokens, speculator.accepted_tokens) == (6, 4)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("params", [{}, {"top_p": 0.5}, {"top_k": 3, "min_p": 0.05}])
def test_a_seed_says_the_same_whatever_was_guessed(params, seed):
    logits = scores(4, seed=seed)
    alone = state(seed, temperature=1.0, **params)
    expected = [Sampler().sample(row.unsqueeze(0), [alone])[0].token for row in logits]
    after = alone.rng.random()
    for right in range(4):
        wrong = [(token + 1) % VOCABULARY for token in expected[right:3]]
        pair = (decoding(), state(seed, temperature=1.0, **params))
        draft = Draft(expected[:right] + wrong)
        speculator = Speculator(Foreteller(draft), Sampler(), most_tokens=3)
        speculator.plan([pair], room=100)

        said = [sampled.token for sampled in speculator.choose(logits, [pair])[0]]

        assert said == expected[: right + 1]
        rest = [
            Sampler().sample(logits[at : at + 1], [pair[1]])[0].token for at in range(right + 1, 4)
        ]
        assert said + rest == expected
        assert pair[1].rng.random() == after


def test_a_draft_the_step_had_no_room_for_is_checked_in_part():
    logits = scores(3)
    target = (logits / 1.0).softmax(dim=-1)
    pair = (decoding(), state(seed=None, temperature=1.0))
    draft = Draft([1, 2, 3], torch.cat([target[:2], target[:1]]))
    speculator = Speculator(Foreteller(draft), Sampler(), most_tokens=3)
    speculator.plan([pair], room=100)
    del pair[0].draft[2:]

    said = [sampled.token for sampled in speculator.choose(logits, [pair])[0]]

    assert said[:2] == [1, 2]  # drawn from the very target, so never refused
    assert len(said) == 3
    assert speculator.drafted_tokens == 2


def test_scores_of_no_use_come_out_as_a_failure():
    logits = scores(4)
    logits[1] = float("nan")
    best = logits.argmax(dim=-1).tolist()
    greedy, drawn = decoding("greedy"), decoding("drawn")
    pairs = [(greedy, state()), (drawn, state(seed=None, temperature=1.0))]
    certain = torch.zeros(1, VOCABULARY).index_fill_(1, torch.tensor([4]), 1.0)
    logits[2] = certain[0].log()
    logits[3] = float("nan")
    speculator = Speculator(
        Foreteller(Draft(best[:1]), Draft([4], certain)), Sampler(), most_tokens=3
    )
    speculator.plan(pairs, room=100)

    chosen = speculator.choose(logits, pairs)

    assert [[one.token for one in run] for run in chosen] == [[best[0], None], [4, None]]
    assert [run[-1].failure.code for run in chosen] == ["invalid_logits"] * 2


def test_a_wrong_guess_slows_its_own_sequence_alone():
    good, bad = decoding("good"), decoding("bad")
    pairs = [(good, state()), (bad, state())]
    logits = scores(6)
    best = logits.argmax(dim=-1).tolist()
    wrong = [(best[3] + 1) % VOCABULARY, 0]
    proposer = Foreteller(Draft(best[:2]), Draft(wrong))
    speculator = Speculator(proposer, Sampler(), most_tokens=2)
    speculator.plan(pairs, room=100)
    speculator.choose(logits, pairs)

    speculator.plan(pairs, room=100)

    assert [request.sequence for request in proposer.requests] == [good]


def test_forgetting_leaves_nothing():
    sequence = decoding()
    proposer = Foreteller(Draft([1]))
    speculator = Speculator(proposer, Sampler(), most_tokens=3)
    speculator.plan([(sequence, state())], room=100)

    speculator.forget(sequence)

    assert proposer.forgotten == [sequence]
    assert speculator._paces == {}
    assert speculator._drafts == {}
