"""The plan of a batch: which of its rows need what, in tensors made once and used step by step."""

from collections.abc import Sequence

import torch
from torch import Tensor

from inference.engine.edits import Bias
from inference.engine.sampling_state import SamplingState
from inference.engine.truncation import Truncation


class RowSet:
    """Some rows of a larger tensor.

    Args:
        rows: which, ascending.
        count: how many the larger tensor has.
        device: where it is.
    """

    def __init__(self, rows: Sequence[int], *, count: int, device: torch.device) -> None:
        self.rows = list(rows)
        self._is_all = len(rows) == count
        self._index = torch.tensor(self.rows, dtype=torch.long, device=device)

    def __bool__(self) -> bool:
        return bool(self.rows)

    def of(self, tensor: Tensor) -> Tensor:
        """Return the rows; the tensor itself where they are all."""
        return tensor if self._is_all else tensor.index_select(0, self._index)

    def put(self, tensor: Tensor, values: Tensor) -> None:
        """Write the rows."""
        tensor.index_copy_(0, self._index, values)


class BatchPlan:
    """What a batch of sampling states asks for, as long as the batch stays the same.

    Attributes:
        chosen: rows whose token is not simply the likeliest: drawn, or with edited scores.
        has_likeliest: whether some row simply takes the likeliest token.
        edits: whether the scores of `chosen` may be edited.
        drawn: the rows among `chosen` that are drawn.
        told: rows that tell log-probabilities.
        told_counts: how many likeliest tokens each of them tells.
    """

    def __init__(
        self, states: Sequence[SamplingState], *, device: torch.device, vocabulary: int
    ) -> None:
        self._states = list(states)
        self._scores_kind = (device, vocabulary)
        is_drawn = [not state.params.is_greedy for state in states]
        chosen = [row for row, s in enumerate(states) if is_drawn[row] or s.is_edited]
        self.chosen_states = [states[row] for row in chosen]
        self.has_likeliest = len(chosen) < len(states)
        drawn = [place for place, row in enumerate(chosen) if is_drawn[row]]
        self.rngs = [self.chosen_states[place].rng for place in drawn]
        self.edits = any(state.is_edited for state in self.chosen_states)
        told = [row for row, state in enumerate(states) if state.logprobs is not None]
        self.told_counts = [s.logprobs for s in states if s.logprobs is not None]
        self.chosen = RowSet(chosen, count=len(states), device=device)
        self.drawn = RowSet(drawn, count=len(chosen), device=device)
        self.told = RowSet(told, count=len(states), device=device)
        self.bias = Bias(
            [state.params.logit_bias for state in self.chosen_states],
            device=device,
            vocabulary=vocabulary,
        )
        self.truncation = Truncation(
            [self.chosen_states[place].params for place in drawn],
            device=device,
            vocabulary=vocabulary,
        )

    def fits(self, states: Sequence[SamplingState], logits: Tensor) -> bool:
        """Whether the plan is one for this batch."""
        kind = logits.device, logits.shape[-1]
        return self._scores_kind == kind and self._states == list(states)
