"""Paged attention by the flash-attn packages: version 2, and version 3 for Hopper.

Source:
    Dao 2023, "FlashAttention-2"; Shah et al. 2024, "FlashAttention-3".
"""

from importlib import import_module
from typing import Any

from torch import Tensor

from inference.engine.attention import ScoreOptions
from inference.engine.paged.backend import Mixer
from inference.engine.paged.inputs import StepInputs

EVERYTHING = -1
"""A window without an end."""


class FlashAttention2:
    """The package `flash_attn`: one kernel for decode steps, one for all others.

    Raises:
        ImportError: it is not installed.
    """

    name = "flash-attn 2"
    block_multiple = 256  # its kernels for pages check that
    block_size = 256
    reads_all_pages = False
    suits_graphs = True

    def __init__(self) -> None:
        module = import_module("flash_attn")
        self._varlen = module.flash_attn_varlen_func
        self._with_cache = module.flash_attn_with_kvcache

    def plan(self, inputs: StepInputs) -> Mixer:
        """See `PagedBackend`."""

        def decode(query: Tensor, keys: Tensor, values: Tensor, options: ScoreOptions) -> Tensor:
            mixed: Tensor = self._with_cache(
                query.unsqueeze(1),
                keys,
                values,
                cache_seqlens=inputs.key_lengths,
                block_table=inputs.pages,
                **_scoring(options),
            )
            return mixed.squeeze(1)

        def read(query: Tensor, keys: Tensor, values: Tensor, options: ScoreOptions) -> Tensor:
            mixed: Tensor = self._varlen(
                query,
                keys,
                values,
                cu_seqlens_q=inputs.query_starts,
                cu_seqlens_k=inputs.key_starts,
                max_seqlen_q=inputs.shape.longest_query,
                max_seqlen_k=inputs.shape.longest_key,
                block_table=inputs.pages,
                **_scoring(options),
            )
            return mixed

        return decode if inputs.shape.is_decoding else read


class FlashAttention3:
    """The module `flash_attn_interface`: one kernel for all steps, and pages of any size.

    Raises:
        ImportError: it is not installed.
    """

    name = "flash-attn 3"
    block_multiple = 1
    block_size = 128  # one tile of keys: the whole page is one load
    reads_all_pages = False
    suits_graphs = True

    def __init__(self) -> None:
        self._with_cache = import_module("flash_attn_interface").flash_attn_with_kvcache

    def plan(self, inputs: StepInputs) -> Mixer:
        """See `PagedBackend`."""

        def mix(query: Tensor, keys: Tensor, values: Tensor, options: ScoreOptions) -> Tensor:
            mixed: Tensor = self._with_cache(
                query,
                keys,
                values,
                cache_seqlens=inputs.key_lengths,
                page_table=inputs.pages,
                cu_seqlens_q=inputs.query_starts,
                max_seqlen_q=inputs.shape.longest_query,
                **_scoring(options),
            )
            return mixed

        return mix


def _scoring(options: ScoreOptions) -> dict[str, Any]:
    """How a layer scores, in the packages' words; their window leaves the query itself out."""
    window = options.sliding_window
    return {
        "softmax_scale": options.scaling,
        "causal": True,
        "window_size": (EVERYTHING, EVERYTHING) if window is None else (window - 1, 0),
        "softcap": options.softcap or 0.0,
    }
