"""The truncations of sampling: top-k, nucleus and min-p, each with its own value for every row."""

from collections.abc import Sequence

import torch
from torch import Tensor

NUCLEUS_CANDIDATES = 1024
"""The nucleus is looked for among this many likeliest tokens before a whole row is sorted: finding
them costs a tenth of sorting a vocabulary of 150,000, and they nearly always suffice."""


def keep_top_k(logits: Tensor, top_k: Sequence[int]) -> Tensor:
    """Mask all but the k likeliest tokens of each row; tokens equal to the last one stay.

    Args:
        logits: next-token scores, float [B, V].
        top_k: one count a row; 0 keeps every token.

    Returns:
        A tensor [B, V] with -inf outside; `logits` itself where no row asks.
    """
    vocabulary = logits.shape[-1]
    counts = [min(k, vocabulary) or vocabulary for k in top_k]
    limited = [k for k in counts if k < vocabulary]
    if not limited:
        return logits
    largest = logits.topk(max(limited), dim=-1).values  # [B, K], descending
    last = torch.tensor([min(k, max(limited)) - 1 for k in counts], device=logits.device)
    threshold = largest.gather(-1, last.unsqueeze(-1))
    keep_all = torch.tensor([k == vocabulary for k in counts], device=logits.device).unsqueeze(-1)
    return logits.masked_fill((logits < threshold) & ~keep_all, float("-inf"))


def keep_top_p(logits: Tensor, top_p: Sequence[float]) -> Tensor:
    """Mask all but the nucleus of each row: the likeliest tokens whose mass reaches `top_p`.

    The likeliest token always stays, so no row becomes all -inf.

    Args:
        logits: next-token scores, float [B, V].
        top_p: one mass a row in (0, 1]; 1 keeps every token.

    Returns:
        A tensor [B, V] with -inf outside; `logits` itself where no row asks.

    Source:
        Holtzman et al. 2020, "The Curious Case of Neural Text Degeneration", section 3.
    """
    rows = [row for row, mass in enumerate(top_p) if mass < 1.0]
    if not rows:
        return logits
    narrowed = logits[rows]
    wanted = torch.tensor([top_p[row] for row in rows], device=logits.device).unsqueeze(-1)
    total = narrowed.logsumexp(dim=-1, keepdim=True)
    count = min(NUCLEUS_CANDIDATES, logits.shape[-1])
    ordered, order = narrowed.topk(count, dim=-1)
    probabilities = (ordered - total).exp()
    if bool((probabilities.sum(dim=-1, keepdim=True) < wanted).any()):
        ordered, order = narrowed.sort(dim=-1, descending=True)
        probabilities = (ordered - total).exp()
    mass_before = probabilities.cumsum(dim=-1) - probabilities  # exclusive: the first entry is 0
    ordered = ordered.masked_fill(mass_before >= wanted, float("-inf"))
    ordered[:, 0] = narrowed.amax(dim=-1)
    result = logits.clone()
    result[rows] = torch.full_like(narrowed, float("-inf")).scatter_(-1, order, ordered)
    return result


def keep_min_p(logits: Tensor, min_p: Sequence[float]) -> Tensor:
    """Mask the tokens less likely than `min_p` times the likeliest one of their row.

    Args:
        logits: next-token scores, float [B, V].
        min_p: one factor a row in [0, 1]; 0 keeps every token.

    Returns:
        A tensor [B, V] with -inf outside; `logits` itself where no row asks.

    Source:
        Nguyen et al. 2025, "Turning Up the Heat: Min-p Sampling", section 3.
    """
    if not any(min_p):
        return logits
    factors = torch.tensor(min_p, device=logits.device).unsqueeze(-1)
    threshold = logits.amax(dim=-1, keepdim=True) + factors.log()  # log 0 = -inf keeps all
    return logits.masked_fill(logits < threshold, float("-inf"))
