"""Drawing tokens: one a row by inverse cumulative weight, from the nucleus without sorting it."""

import random
from collections.abc import Sequence

import torch
from torch import Tensor

from inference.engine.filters import above

BLOCK = 128


def draw(weights: Tensor, masses: Tensor | None, numbers: Sequence[float]) -> Tensor:
    """Draw a token from each row.

    A nucleus is found without sorting: draw from the whole row; the token lies in the nucleus if
    those above it weigh less than the mass that is asked for; where it does not, nothing at or
    below it does, so draw again among those above. Each row is usually done at once, and the
    rounds that follow see only the rows that are not.

    Args:
        weights: float [R, V], not negative; a row may have any sum.
        masses: the weight the nucleus of each row must reach, [R, 1]; None where no row has one.
        numbers: one random number for each row, in [0, 1); those of further rounds follow from it,
            so that a token takes one of its request's random numbers, however many rounds it needs.

    Returns:
        Token ids, long [R]. A row of NaN gives some id, and so does one of zeros.

    Source:
        Ye et al. 2025, "FlashInfer", sorting-free sampling by rejection with a rising pivot.
    """
    tokens = pick(weights, numbers)
    if masses is None:
        return tokens
    rows = list(range(len(numbers)))
    rngs: dict[int, random.Random] = {}
    drawn = tokens
    while True:
        heavier = above(weights, weights.gather(-1, drawn.unsqueeze(-1)))
        is_outside = (heavier.sum(dim=-1, keepdim=True) >= masses).squeeze(-1)
        again = is_outside.nonzero().squeeze(-1)  # the only look at the device's results
        if not len(again):
            return tokens
        rows = [rows[place] for place in again.tolist()]
        rngs |= {row: random.Random(numbers[row]) for row in rows if row not in rngs}
        weights, masses = heavier[again], masses[again]
        drawn = pick(weights, [rngs[row].random() for row in rows])
        tokens[torch.tensor(rows, device=tokens.device)] = drawn


def pick(weights: Tensor, numbers: Sequence[float]) -> Tensor:
    """Return the token of each row where the running sum reaches its share of the whole.

    The sum runs over blocks first and then inside one block: cheaper than over a whole row, and
    more exact, as sums of a hundred numbers lose less than one of a hundred thousand.

    Args:
        weights: float [R, V], not negative.
        numbers: the shares, R of them in [0, 1).

    Returns:
        Token ids, long [R]; never one without weight where its row has any.
    """
    exact = torch.float32 if weights.device.type == "mps" else torch.float64
    shares = torch.tensor(numbers, dtype=exact, device=weights.device).unsqueeze(-1)
    vocabulary = weights.shape[-1]
    blocks = vocabulary // BLOCK
    sums = weights[:, : blocks * BLOCK].unflatten(-1, (blocks, BLOCK)).sum(dim=-1)
    rest = weights[:, blocks * BLOCK :].sum(dim=-1, keepdim=True)
    sums = torch.cat([sums, rest], dim=-1).to(exact)  # [R, blocks + 1]
    reached = sums.cumsum(dim=-1)
    target = shares * reached[:, -1:]
    block = _first_above(reached, target)
    target = target - (reached - sums).gather(-1, block)
    places = block * BLOCK + torch.arange(BLOCK, device=weights.device)  # [R, BLOCK]
    inside = weights.gather(-1, places.clamp(max=vocabulary - 1)).to(exact)
    reached = inside.masked_fill(places >= vocabulary, 0.0).cumsum(dim=-1)
    return (block * BLOCK + _first_above(reached, target)).squeeze(-1).clamp(max=vocabulary - 1)


def _first_above(reached: Tensor, target: Tensor) -> Tensor:
    """First place where the running sum exceeds the target, at most the last with any weight."""
    last = (reached < reached[:, -1:]).sum(dim=-1, keepdim=True)
    return torch.searchsorted(reached, target, right=True).minimum(last)
