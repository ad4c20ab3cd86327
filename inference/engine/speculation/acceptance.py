"""Acceptance: how much of a draft is kept, so that no answer tells there was one.

Two rules, both exact. `keep_equal` lets the model choose its token after every guess as if there
were no draft, and keeps the choices as long as the guesses foresaw them: the answer is the very
one the request would have had alone, greedy or sampled, whatever the seed. `accept_drawn` knows
how likely each guess was and accepts more of those that were drawn: the answer is another one of
the same distribution.
"""

from collections.abc import Sequence as Items
from itertools import accumulate, pairwise, takewhile

import torch
from torch import Tensor

from inference.engine.speculation.proposer import Draft


def keep_equal(draft: Items[int], chosen: Items[int | None]) -> list[int | None]:
    """Return the model's own choices up to the first that the draft did not foresee.

    Args:
        draft: the guessed tokens [k].
        chosen: what the model chose before, between and after them [k + 1]; None where its scores
            were of no use.

    Returns:
        From 1 to k + 1 of the choices; all but the last equal the draft.
    """
    foreseen = takewhile(
        lambda pair: pair[0] == pair[1], zip(draft, chosen[: len(draft)], strict=True)
    )
    return list(chosen[: 1 + sum(1 for _ in foreseen)])


def accept_drawn(
    target: Tensor, drafts: Items[Draft], draws: Items[Items[float]]
) -> list[list[int | None]]:
    """Accept drawn guesses by rejection sampling, then draw the one token after them.

    A guess x drawn from q is accepted with probability min(1, p(x) / q(x)). After the first
    refusal the next token comes from what p has more than q, after none from the last p. Every
    token is then distributed as p says.

    Args:
        target: p, the distributions before, between and after the guesses of every draft, one
            draft after the other, float [sum of (k + 1), V]; zero where a token is excluded.
        drafts: guesses with their distributions q, float [k, V] each.
        draws: uniform numbers in [0, 1), k + 1 for each draft.

    Returns:
        For each draft from 1 to k + 1 tokens; the last is None where the scores it should come
        from are of no use.

    Source:
        Leviathan et al. 2023, "Fast Inference from Transformers via Speculative Decoding",
        algorithm 1.
    """
    counts = [len(draft.tokens) for draft in drafts]
    starts = list(accumulate((count + 1 for count in counts), initial=0))[:-1]
    proposed = torch.cat([_distributions(draft) for draft in drafts])  # [sum of k, V]
    rows = [start + at for start, count in zip(starts, counts, strict=True) for at in range(count)]
    guesses = _column(target, [token for draft in drafts for token in draft.tokens]).long()
    luck = _column(target, [draw for own in draws for draw in own[:-1]])
    # u < p / q without dividing; a p that is not a number refuses.
    is_accepted = luck * proposed.gather(1, guesses) < target[rows].gather(1, guesses)
    accepted = _leading_counts(is_accepted.squeeze(1).tolist(), counts)

    after = target[[start + kept for start, kept in zip(starts, accepted, strict=True)]]
    refused = [at for at, kept in enumerate(accepted) if kept < counts[at]]
    if refused:
        offsets = list(accumulate(counts, initial=0))
        over = after[refused] - proposed[[offsets[at] + accepted[at] for at in refused]]
        over = over.clamp(min=0)
        # p equal to q up to rounding leaves nothing over; then p is as good.
        has_rest = over.sum(dim=-1, keepdim=True) != 0
        after[refused] = torch.where(has_rest, over, after[refused])
    last = draw_from(after, [own[-1] for own in draws])
    return [
        [*draft.tokens[:kept], token]
        for draft, kept, token in zip(drafts, accepted, last, strict=True)
    ]


def draw_from(weights: Tensor, draws: Items[float]) -> list[int | None]:
    """Draw one token a row by inverse cumulative weight.

    Args:
        weights: float [B, V], not negative; they need not sum to 1.
        draws: B uniform numbers in [0, 1).

    Returns:
        B tokens; None where a row has no positive finite sum.
    """
    cumulative = weights.cumsum(dim=-1)
    total = cumulative[:, -1:]
    last = (cumulative < total).sum(dim=-1, keepdim=True)  # the last token with any mass
    found = torch.searchsorted(cumulative, _column(weights, draws) * total, right=True)
    tokens = torch.where(total.isfinite() & (total > 0), found.minimum(last), -1)
    return [None if token < 0 else token for token in tokens.squeeze(1).tolist()]


def _distributions(draft: Draft) -> Tensor:
    """The distributions of a draft that was drawn."""
    assert draft.probabilities is not None
    return draft.probabilities


def _leading_counts(flags: list[bool], counts: list[int]) -> list[int]:
    """For each group of so many flags, how many at its beginning are true."""
    bounds = pairwise(accumulate(counts, initial=0))
    return [sum(1 for _ in takewhile(bool, flags[first:last])) for first, last in bounds]


def _column(like: Tensor, values: Items[float]) -> Tensor:
    """Return one value a row, [B, 1], in the precision and on the device of `like`."""
    return torch.tensor(values, dtype=like.dtype, device=like.device).unsqueeze(1)
