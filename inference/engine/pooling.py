"""Pooling: one vector for a whole text, out of the states of its tokens."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F  # noqa: N812 (torch's own spelling)
from torch import Tensor

from inference.generation import Pooling


@dataclass(frozen=True, slots=True)
class PoolingWay:
    """How a text that is read in chunks is pooled without keeping all its states.

    Attributes:
        part: what a chunk gives, from its states [T, W] to [W].
        join: what is known after two neighbouring chunks, from what each gave.
    """

    part: Callable[[Tensor], Tensor]
    join: Callable[[Tensor, Tensor], Tensor]


WAYS: dict[Pooling, PoolingWay] = {
    "mean": PoolingWay(lambda states: states.sum(dim=0, dtype=torch.float32), torch.add),
    "cls": PoolingWay(lambda states: states[0].float(), lambda before, _: before),
    "last": PoolingWay(lambda states: states[-1].float(), lambda _, latest: latest),
}


class Pool:
    """Takes the states of one text, chunk by chunk.

    A step that failed may be computed again, in smaller parts too; so a chunk takes the place of
    one that began at the same token. A chunk at the text's beginning begins anew.

    Args:
        pooling: how to pool.

    Source:
        Reimers and Gurevych 2019, "Sentence-BERT", section 3 (mean and first state).
    """

    def __init__(self, pooling: Pooling) -> None:
        self._pooling: Pooling = pooling
        self._start = 0
        self._end = 0
        self._before: Tensor | None = None  # what the chunks before the latest one gave
        self._latest: Tensor | None = None

    def take(self, start: int, states: Tensor) -> None:
        """Take the states of a chunk.

        Args:
            start: index of the chunk's first token; 0, or where the latest chunk began or ended.
            states: after the model's last norm, [T, W].
        """
        if start == 0:
            self._before = None
        elif start != self._start:
            assert start == self._end, "a chunk of the text is missing"
            self._before = self._whole()
        self._start, self._end = start, start + len(states)
        self._latest = WAYS[self._pooling].part(states)

    def vector(self, *, normalize: bool) -> Tensor:
        """Return the vector of all that was taken, float [W].

        Args:
            normalize: scale it to length 1; a vector of zeros stays as it is.
        """
        whole = self._whole()
        if self._pooling == "mean":
            whole = whole / self._end
        return F.normalize(whole, dim=0) if normalize else whole

    def _whole(self) -> Tensor:
        assert self._latest is not None, "nothing was taken yet"
        if self._before is None:
            return self._latest
        return WAYS[self._pooling].join(self._before, self._latest)
