"""Edits of the model's scores before a token is chosen: bias, penalties, bans, constraints."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from inference.engine.grammar import failure_of, forbid_unset, words_for
from inference.engine.penalties import apply_penalties
from inference.engine.sampling_state import SamplingState
from inference.generation import Failure


class Bias:
    """The logit biases of some rows, ready to be added.

    Args:
        pairs: (token, bias) pairs of each row.
        device: where the scores are.
        vocabulary: how many there are in a row.
    """

    def __init__(
        self,
        pairs: Sequence[Sequence[tuple[int, float]]],
        *,
        device: torch.device,
        vocabulary: int,
    ) -> None:
        places = [row * vocabulary + token for row, some in enumerate(pairs) for token, _ in some]
        values = [bias for some in pairs for _, bias in some]
        self._places = torch.tensor(places, dtype=torch.long, device=device)
        self._values = torch.tensor(values, dtype=torch.float32, device=device)

    def add_to(self, scores: Tensor) -> None:
        """Add the biases to scores [R, V], in place."""
        if len(self._places):
            scores.view(-1).index_add_(0, self._places, self._values)


def edit_scores(scores: Tensor, states: Sequence[SamplingState], bias: Bias) -> dict[int, Failure]:
    """Apply all edits, in place.

    Args:
        scores: next-token scores, float32 [R, V], contiguous.
        states: one for each row.
        bias: the rows' biases.

    Returns:
        The rows whose constraint broke, and how.
    """
    bias.add_to(scores)
    apply_penalties(scores, [s.params for s in states], [s.counts for s in states])
    _ban(scores, [state.banned for state in states])
    return _constrain(scores, states)


def _ban(scores: Tensor, banned: Sequence[Sequence[int]]) -> None:
    """Set the scores of each row's banned tokens to -inf."""
    vocabulary = scores.shape[-1]
    places = [row * vocabulary + token for row, tokens in enumerate(banned) for token in tokens]
    if places:
        where = torch.tensor(places, dtype=torch.long, device=scores.device)
        scores.view(-1).index_fill_(0, where, float("-inf"))


def _constrain(scores: Tensor, states: Sequence[SamplingState]) -> dict[int, Failure]:
    """Leave each constrained row the tokens its constraint allows."""
    rows = [row for row, state in enumerate(states) if state.constraint is not None]
    if not rows:
        return {}
    failures: dict[int, Failure] = {}
    masks = np.zeros((len(rows), words_for(scores.shape[-1])), dtype=np.int32)
    for mask, row in zip(masks, rows, strict=True):
        constraint = states[row].constraint
        assert constraint is not None
        try:
            constraint.mask(mask)
        except Exception as error:  # whatever a constraint raises is its answer's failure
            failures[row] = failure_of(error)
    forbid_unset(scores, rows, masks)
    return failures
