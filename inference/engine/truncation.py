"""The distribution a batch samples from: temperature, top-k, top-p and min-p, row by row."""

from collections.abc import Sequence

import torch
from torch import Tensor

from inference.engine.filters import keep_min_p, keep_top_k, keep_top_p
from inference.generation import SamplingParams


class Truncation:
    """The sampling parameters of some rows, as tensors where their scores are.

    Args:
        params: one for each row; none is greedy.
        device: where the scores are.
        vocabulary: how many there are in a row.

    Attributes:
        top_p: the share of its weight each row's nucleus must reach, [R, 1]; None where every row
            keeps all.
    """

    def __init__(
        self, params: Sequence[SamplingParams], *, device: torch.device, vocabulary: int
    ) -> None:
        def column(values: list[float]) -> Tensor:
            return torch.tensor(values, dtype=torch.float32, device=device).unsqueeze(-1)

        counts = [one.top_k if one.top_k < vocabulary else 0 for one in params]
        self._most = max(counts, default=0)
        self._temperature = column([one.temperature for one in params])
        self._top_k = torch.tensor(counts, dtype=torch.long, device=device).unsqueeze(-1)
        is_nucleus = any(one.top_p < 1.0 for one in params)
        self.top_p = column([one.top_p for one in params]) if is_nucleus else None
        has_floor = any(one.min_p > 0.0 for one in params)
        self._min_p = column([one.min_p for one in params]) if has_floor else None

    def weigh(self, scores: Tensor) -> tuple[Tensor, Tensor | None]:
        """Return what to draw from, and how heavy the nucleus of each row is.

        Args:
            scores: next-token scores, float32 [R, V].

        Returns:
            Weights, float [R, V], after temperature, top-k and min-p; and the weight that the
            likeliest tokens of a row must reach together to be its nucleus, [R, 1] (infinite where
            the row keeps all), or None where no row has one.
        """
        weights = (scores / self._temperature).softmax(dim=-1)
        if self._most:
            weights = keep_top_k(weights, self._top_k, most=self._most)
        masses = None
        if self.top_p is not None:
            masses = self.top_p * weights.sum(dim=-1, keepdim=True)
            masses = masses.masked_fill_(self.top_p >= 1.0, float("inf"))
        if self._min_p is not None:
            weights = keep_min_p(weights, self._min_p)
        return weights, masses

    def probabilities(self, scores: Tensor) -> Tensor:
        """Return the distribution that `weigh` and `draw` sample from, float [R, V].

        Slower than drawing, as the nucleus is sorted out.

        Args:
            scores: next-token scores, float32 [R, V].
        """
        weights = (scores / self._temperature).softmax(dim=-1)
        if self._most:
            weights = keep_top_k(weights, self._top_k, most=self._most)
        if self.top_p is not None:
            weights = keep_top_p(weights, self.top_p)
        if self._min_p is not None:
            weights = keep_min_p(weights, self._min_p)
        return weights / weights.sum(dim=-1, keepdim=True)
