"""The sampler: from the scores of a batch to one token for each sequence."""

import random
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from inference.engine.filters import keep_min_p, keep_top_k, keep_top_p
from inference.engine.penalties import TokenCounts, apply_penalties
from inference.generation import SamplingParams


@dataclass(slots=True)
class SamplingState:
    """What the sampler remembers of one sequence.

    Attributes:
        params: the request's sampling parameters.
        rng: the request's own random numbers: one draw a token, so a seed gives the same answer
            whatever else runs in the batch.
        counts: the tokens seen so far; kept only where a penalty asks for them.
    """

    params: SamplingParams
    rng: random.Random
    counts: TokenCounts | None = None


def sample(logits: Tensor, states: Sequence[SamplingState]) -> list[int | None]:
    """Choose the next token of every sequence.

    The order is the one of transformers and vLLM: penalties, temperature, top-k, top-p, min-p,
    then one draw by inverse cumulative probability.

    Args:
        logits: next-token scores, [B, V].
        states: one for each row.

    Returns:
        B token ids; None where the row has no usable score (NaN, or no finite score at all).
    """
    logits = logits.float()
    usable = (~logits.isnan().any(dim=-1) & (logits > float("-inf")).any(dim=-1)).tolist()
    logits = apply_penalties(logits, [state.params for state in states], [s.counts for s in states])
    tokens: list[int | None] = logits.argmax(dim=-1).tolist()
    drawn = [row for row, state in enumerate(states) if usable[row] and not state.params.is_greedy]
    if drawn:
        chosen = _draw(logits[drawn], [states[row] for row in drawn])
        for row, token in zip(drawn, chosen, strict=True):
            tokens[row] = token
    return [token if ok else None for token, ok in zip(tokens, usable, strict=True)]


def _draw(logits: Tensor, states: Sequence[SamplingState]) -> list[int]:
    """Draw a token from each row of [B, V]; no row is greedy."""
    params = [state.params for state in states]
    logits = logits / _column(logits, [p.temperature for p in params])
    logits = keep_top_k(logits, [p.top_k for p in params])
    logits = keep_top_p(logits, [p.top_p for p in params])
    logits = keep_min_p(logits, [p.min_p for p in params])
    cumulative = logits.softmax(dim=-1).cumsum(dim=-1)
    draws = _column(logits, [state.rng.random() for state in states])
    total = cumulative[:, -1:]  # 1 up to rounding
    last = (cumulative < total).sum(dim=-1, keepdim=True)  # the last token with any mass
    found = torch.searchsorted(cumulative, draws * total, right=True).minimum(last)
    tokens: list[int] = found.squeeze(-1).tolist()
    return tokens


def _column(logits: Tensor, values: list[float]) -> Tensor:
    """Return one value a row, [B, 1], where the logits are."""
    return torch.tensor(values, dtype=logits.dtype, device=logits.device).unsqueeze(-1)
