"""The sum at the heart of attention: values weighed by how well their keys match a query.

Measured on CPU: torch's fused kernel wins for many queries, plain products for few.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F  # noqa: N812 (torch's own spelling)
from torch import Tensor

from inference.engine.attention import ScoreOptions

FEW_QUERIES = 16
"""Up to so many queries of a sequence, plain products are faster than the fused kernel."""

SHORT_KEYS = 512
"""Up to so many keys, the same holds in 16-bit precision for any number of queries."""


def mix(
    queries: Tensor,
    keys: Tensor,
    values: Tensor,
    bias: Tensor | None,
    options: ScoreOptions,
    sinks: Tensor | None = None,
) -> Tensor:
    """Weigh values by how well their keys match.

    Args:
        queries: [B, n, D].
        keys: [B, T, D].
        values: [B, T, D of values].
        bias: added to the scores, [B, n, T]; None adds nothing.
        options: scaling and cap of the scores.
        sinks: of the queries' heads, [B, n, 1]; None where there are none.

    Returns:
        [B, n, D of values].
    """
    scaling = queries.shape[2] ** -0.5 if options.scaling is None else options.scaling
    is_short = queries.dtype != torch.float32 and keys.shape[1] <= SHORT_KEYS
    is_usual = options.softcap is None and sinks is None
    if is_usual and queries.shape[1] > FEW_QUERIES and not is_short:
        return F.scaled_dot_product_attention(
            queries.unsqueeze(0),
            keys.unsqueeze(0),
            values.unsqueeze(0),
            attn_mask=None if bias is None else bias.unsqueeze(0),
            scale=scaling,
        ).squeeze(0)
    return mix_blocks(queries, [keys], [values], bias, options, sinks)


def mix_blocks(
    queries: Tensor,
    keys: Sequence[Tensor],
    values: Sequence[Tensor],
    bias: Tensor | None,
    options: ScoreOptions,
    sinks: Tensor | None = None,
) -> Tensor:
    """Weigh values as `mix` does, over keys in several parts: no part is copied.

    Args:
        queries: [B, n, D].
        keys: one after the other, [B, T of the part, D] each.
        values: [B, T of the part, D of values] each.
        bias: over all parts, [B, n, T]; None adds nothing.
        options: scaling and cap of the scores.
        sinks: as for `mix`.
    """
    scaling = queries.shape[2] ** -0.5 if options.scaling is None else options.scaling
    queries = queries * (scaling if options.softcap is None else scaling / options.softcap)
    parts = [_scores(queries, part) for part in keys]
    scores = parts[0] if len(parts) == 1 else torch.cat(parts, dim=2)
    if options.softcap is not None:
        scores = scores.tanh_().mul_(options.softcap)
    if bias is not None:
        scores = scores.add_(bias)
    if sinks is not None:
        scores = torch.cat([scores, sinks.to(scores.dtype)], dim=2)
    weights = scores.softmax(dim=-1, dtype=torch.float32).to(queries.dtype)
    if sinks is not None:
        weights = weights[:, :, :-1]
    shares = weights.split([part.shape[1] for part in values], dim=2)
    mixed = torch.bmm(shares[0], values[0])
    for share, part in zip(shares[1:], values[1:], strict=True):
        mixed = mixed.baddbmm_(share, part)
    return mixed


def _scores(queries: Tensor, keys: Tensor) -> Tensor:
    """Return the products of queries [B, n, D] and keys [B, T, D], [B, n, T]."""
    if queries.dtype == torch.float32:
        # Keys first: read along their rows they come faster where queries are few.
        return torch.bmm(keys, queries.transpose(1, 2)).transpose(1, 2)
    return torch.bmm(queries, keys.transpose(1, 2))
