"""Paged attention without a kernel for it: pages are gathered, then torch's own attention runs."""

from collections.abc import Callable

import torch
import torch.nn.functional as F  # noqa: N812 (torch's own spelling)
from torch import Tensor

from inference.engine.attention import ScoreOptions
from inference.engine.paged.backend import Mixer
from inference.engine.paged.inputs import StepInputs
from inference.engine.paged.parts import Part, parts_of


class GatheredAttention:
    """Works with every device, precision and way of scoring."""

    name = "gathered pages"
    block_multiple = 1
    block_size = 64
    reads_all_pages = True
    suits_graphs = True

    def plan(self, inputs: StepInputs) -> Mixer:
        """See `PagedBackend`."""
        return GatheredMixer(inputs)


class GatheredMixer:
    """The attention of one step; masks are made once for all layers.

    Args:
        inputs: the step.
    """

    def __init__(self, inputs: StepInputs) -> None:
        self._parts = parts_of(inputs)
        self._masks: dict[tuple[int, int | None], Tensor] = {}

    def __call__(
        self, query: Tensor, keys: Tensor, values: Tensor, options: ScoreOptions
    ) -> Tensor:
        """See `Mixer`."""
        mixed = [
            part.flat(self._mix(number, part, query, keys, values, options))
            for number, part in enumerate(self._parts)
        ]
        return mixed[0] if len(mixed) == 1 else torch.cat(mixed)

    def _mix(
        self,
        number: int,
        part: Part,
        query: Tensor,
        keys: Tensor,
        values: Tensor,
        options: ScoreOptions,
    ) -> Tensor:
        """Let one part attend; returns [R, n, heads, D of values]."""
        known = (number, options.sliding_window)
        own_keys = keys[part.pages].flatten(1, 2).transpose(1, 2)  # [R, key heads, T, D]
        own_values = values[part.pages].flatten(1, 2).transpose(1, 2)
        if known not in self._masks:
            self._masks[known] = visible(part, own_keys.shape[2], options.sliding_window)
        queries = part.queries(query)  # [R, n, heads, D]
        many, count, heads, size = queries.shape
        key_heads = own_keys.shape[1]
        groups = heads // key_heads
        # Query heads that share a key head become queries of it: no key is repeated.
        queries = (
            queries.view(many, count, key_heads, groups, size)
            .permute(0, 2, 3, 1, 4)
            .reshape(many, key_heads, groups * count, size)
        )
        mask = self._masks[known].repeat(1, groups, 1).unsqueeze(1)  # [R, 1, groups * n, T]
        mix: Callable[..., Tensor] = _attend if options.softcap is None else _attend_capped
        mixed = mix(queries, own_keys, own_values, mask, options)
        return (
            mixed.view(many, key_heads, groups, count, -1)
            .permute(0, 3, 1, 2, 4)
            .reshape(many, count, heads, -1)
        )


def visible(part: Part, length: int, window: int | None) -> Tensor:
    """Return which of so many keys the queries of a part see, bool [R, n, length]."""
    places = torch.arange(length, device=part.positions.device)
    own = part.positions.unsqueeze(-1)
    seen = places <= own
    return seen if window is None else seen & (places > own - window)


def _attend(q: Tensor, k: Tensor, v: Tensor, mask: Tensor, options: ScoreOptions) -> Tensor:
    return F.scaled_dot_product_attention(q, k, v, attn_mask=mask, scale=options.scaling)


def _attend_capped(q: Tensor, k: Tensor, v: Tensor, mask: Tensor, options: ScoreOptions) -> Tensor:
    """Attend with a cap on the scores, which the fused kernels have not."""
    assert options.softcap is not None
    scaling = q.shape[-1] ** -0.5 if options.scaling is None else options.scaling
    scores = (q @ k.transpose(2, 3)) * (scaling / options.softcap)
    scores = (scores.tanh() * options.softcap).masked_fill(~mask, float("-inf"))
    return scores.softmax(dim=-1, dtype=torch.float32).to(v.dtype) @ v
