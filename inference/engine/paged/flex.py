"""Paged attention by torch's flex attention: a mask made of the page table, compiled into a kernel.

Source:
    Dong et al. 2024, "Flex Attention: A Programming Model for Generating Optimized Attention
    Kernels", section 5 (paged attention).
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

import torch
from torch import Tensor
from torch.nn.attention.flex_attention import BlockMask, flex_attention

from inference.engine.attention import ScoreOptions
from inference.engine.paged.backend import Mixer
from inference.engine.paged.inputs import StepInputs
from inference.engine.paged.parts import Part, parts_of

QUERY_BLOCK = 128
NOWHERE = -1


class FlexAttention:
    """`torch.nn.attention.flex_attention`, every precision and way of scoring.

    Args:
        is_compiled: make a kernel of it; without, it computes the scores of the whole cache.
    """

    name = "flex attention"
    block_multiple = 128  # the kernel's smallest block of keys
    block_size = 128
    reads_all_pages = False
    suits_graphs = False  # the compiler may still be at work in a later step

    def __init__(self, *, is_compiled: bool = True) -> None:
        self._is_compiled = is_compiled

    def plan(self, inputs: StepInputs) -> Mixer:
        """See `PagedBackend`."""
        parts = [PagedPart(part) for part in parts_of(inputs)]

        def mix(query: Tensor, keys: Tensor, values: Tensor, options: ScoreOptions) -> Tensor:
            mixed = [self._mix(part, query, keys, values, options) for part in parts]
            return mixed[0] if len(mixed) == 1 else torch.cat(mixed)

        return mix

    def _mix(
        self, own: "PagedPart", query: Tensor, keys: Tensor, values: Tensor, options: ScoreOptions
    ) -> Tensor:
        """Let one part attend; the cache is one long list of keys to it."""
        attend: Any = _compiled() if self._is_compiled else flex_attention
        mixed: Tensor = attend(
            own.part.queries(query).transpose(1, 2),  # [R, heads, n, D]
            keys.flatten(0, 1).transpose(0, 1).unsqueeze(0),  # [1, key heads, tokens, D]
            values.flatten(0, 1).transpose(0, 1).unsqueeze(0),
            score_mod=None if options.softcap is None else capped(options.softcap),
            block_mask=own.mask(keys.shape[0], keys.shape[1], options.sliding_window),
            scale=options.scaling,
            enable_gqa=True,
        )
        return own.part.flat(mixed.transpose(1, 2))


@cache
def _compiled() -> Callable[..., Any]:
    """The kernel's maker; one for the process, as it remembers what it has made."""
    made: Callable[..., Any] = torch.compile(flex_attention, dynamic=True)
    return made


@dataclass(frozen=True)
class PagedPart:
    """A part and its masks; layers that see alike share one."""

    part: Part

    @cached_property
    def _masks(self) -> dict[int | None, BlockMask]:
        return {}

    def mask(self, blocks: int, block_size: int, window: int | None) -> BlockMask:
        """Return which keys of a cache of so many blocks the queries see."""
        if window not in self._masks:
            self._masks[window] = paged_mask(self.part, blocks, block_size, window)
        return self._masks[window]


def paged_mask(part: Part, blocks: int, block_size: int, window: int | None) -> BlockMask:
    """Make a mask over a whole cache of which each sequence sees its own pages.

    Args:
        part: the queries and their page tables.
        blocks: blocks of the cache.
        block_size: tokens in each.
        window: how many of the latest keys a query sees, itself included.
    """
    many, count = part.columns.shape
    tiles = -(-count // QUERY_BLOCK)
    used = (part.key_lengths + block_size - 1) // block_size  # [R]
    table = place_of_blocks(part, used, blocks)
    positions = part.positions

    def sees(row: Tensor, head: Tensor, query: Tensor, slot: Tensor) -> Tensor:  # noqa: ARG001
        block_place = table[row, slot // block_size]
        place = block_place * block_size + slot % block_size
        own = positions[row, query.clamp(max=count - 1)]
        seen = (block_place >= 0) & (place <= own)
        return seen if window is None else seen & (place > own - window)

    # The compiler insists on room for every block of the cache, though only the first are read.
    indices = part.pages.new_zeros(many, 1, tiles, blocks)
    indices[..., : part.pages.shape[1]] = part.pages[:, None, None]
    return BlockMask.from_kv_blocks(
        used.to(torch.int32)[:, None, None].expand(many, 1, tiles).contiguous(),
        indices,
        BLOCK_SIZE=(QUERY_BLOCK, block_size),
        mask_mod=sees,
        seq_lengths=(count, blocks * block_size),
        compute_q_blocks=False,
    )


def place_of_blocks(part: Part, used: Tensor, blocks: int) -> Tensor:
    """Turn page tables round: for each block its place in a sequence, long [R, blocks].

    Blocks that do not belong to a sequence are `NOWHERE` in it.
    """
    many, width = part.pages.shape
    places = torch.arange(width, device=part.pages.device).expand(many, width)
    places = places.masked_fill(places >= used[:, None], NOWHERE)
    table = torch.full((many, blocks), NOWHERE, device=part.pages.device)
    return table.scatter_(1, part.pages.long(), places)


@cache
def capped(softcap: float) -> Callable[..., Tensor]:
    """Return a cap on scores; the same one for the same number, so that no kernel is made twice."""

    def cap(score: Tensor, row: Tensor, head: Tensor, query: Tensor, slot: Tensor) -> Tensor:  # noqa: ARG001
        return softcap * torch.tanh(score / softcap)

    return cap
